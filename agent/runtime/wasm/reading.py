"""Numbers and names of a wasm module, each bounded before it is believed.

https://webassembly.github.io/spec/core/binary/values.html
"""

from agent.errors import ModelError


class DamagedError(ModelError):
    """The bytes are no valid module; the text says where."""

    def __init__(self, at: int, what: str) -> None:
        super().__init__(f"is a damaged wasm module: byte {at}: {what}; make or copy it again")


class Reader:
    """A cursor over some bytes of a module.

    Attributes:
        at: of the next byte, counted from the start of the module.
        end: of these bytes.
    """

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.at = at
        self.end = len(data) if end is None else end

    def byte(self) -> int:
        """Read one byte."""
        at = self.at
        if at >= self.end:
            raise DamagedError(at, "ends too early")
        self.at = at + 1
        return self.data[at]

    def expect(self, byte: int, what: str) -> None:
        """Read one byte that can only be this one."""
        if (found := self.byte()) != byte:
            raise DamagedError(self.at - 1, f"{what} must be {byte:#x}, not {found:#x}")

    def unsigned(self, limit: int = (1 << 32) - 1) -> int:
        """Read a LEB128 number of 32 bits, at most `limit`."""
        start = self.at
        value = self.byte()
        if value >= 0x80:
            value &= 0x7F
            shift = 7
            while (byte := self.byte()) >= 0x80 and shift < 28:
                value |= (byte & 0x7F) << shift
                shift += 7
            value |= byte << shift
        if value > limit:
            raise DamagedError(start, f"{value} is more than {limit}")
        return value

    def signed(self, bits: int) -> int:
        """Read a signed LEB128 number of 32 or 64 bits."""
        start, value, shift = self.at, 0, 0
        while (byte := self.byte()) >= 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift >= bits:
                raise DamagedError(start, "a number without end")
        value |= byte << shift
        if byte & 0x40:
            value -= 1 << (shift + 7)
        if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
            raise DamagedError(start, f"a number of more than {bits} bits")
        return value

    def skip(self, size: int) -> None:
        """Pass over bytes that must be there."""
        if size > self.end - self.at:
            raise DamagedError(self.at, f"{size} bytes are said to follow, {self.end - self.at} do")
        self.at += size

    def part(self) -> "Reader":
        """Read a size, pass over so many bytes, and return a reader of them."""
        size = self.unsigned()
        start = self.at
        self.skip(size)
        return Reader(self.data, start, self.at)

    def name(self) -> str:
        """Read a name in UTF-8."""
        part = self.part()
        try:
            return self.data[part.at : part.end].decode()
        except UnicodeDecodeError:
            raise DamagedError(part.at, "a name is not UTF-8") from None

    def done(self) -> None:
        """Refuse bytes that are left over."""
        if self.at != self.end:
            raise DamagedError(self.at, f"{self.end - self.at} bytes too many")
