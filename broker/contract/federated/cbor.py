"""The few items of CBOR (RFC 8949) that a slice is made of, each read within a bound.

Integers, byte strings, short texts, floats and the heads of arrays and maps, all of definite
length; tags, nesting and what else a general library would build from a peer's bytes are refused.
"""

import struct
from enum import IntEnum

from broker.contract.federated.errors import UpdateError


class Major(IntEnum):
    """The major types that occur."""

    INTEGER = 0
    BYTES = 2
    TEXT = 3
    ARRAY = 4
    MAP = 5
    FLOAT = 7


_FLOATS = {25: ("!e", 2), 26: ("!f", 4), 27: ("!d", 8)}
_WIDTHS = ((24, "!BB", 8), (25, "!BH", 16), (26, "!BI", 32), (27, "!BQ", 64))


def head(major: Major, argument: int) -> bytes:
    """The head of an item: its major type with a number or a length below 2^64."""
    if argument < 24:
        return bytes([major << 5 | argument])
    code, form = next((code, form) for code, form, bits in _WIDTHS if argument < 1 << bits)
    return struct.pack(form, major << 5 | code, argument)


def text(value: str) -> bytes:
    """A text."""
    return head(Major.TEXT, len(value.encode())) + value.encode()


def single(value: float) -> bytes:
    """A float of 32 bits."""
    return struct.pack("!Bf", Major.FLOAT << 5 | 26, value)


class Reader:
    """Takes items from the front of a payload.

    Raises:
        UpdateError: from every method: another item, cut short, or above the bound.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def argument(self, major: Major, highest: int, what: str) -> int:
        """The number or length in a head of this type."""
        at, first = self._at, self._take(1)[0]
        code = first & 31
        if first >> 5 != major or code > 27:
            raise UpdateError(f"slice is refused: byte {at} begins no {major.name.lower()}")
        value = code if code < 24 else int.from_bytes(self._take(1 << (code - 24)), "big")
        if value > highest:
            raise UpdateError(f"slice is refused: {what} must be at most {highest}, got {value}")
        return value

    def key(self, longest: int) -> str:
        """A text of ASCII."""
        data = self._take(self.argument(Major.TEXT, longest, "length of a key"))
        return data.decode("ascii", "replace")

    def data(self, longest: int, what: str) -> bytes:
        """A byte string."""
        return self._take(self.argument(Major.BYTES, longest, what))

    def real(self) -> float:
        """A float of 16, 32 or 64 bits."""
        at, first = self._at, self._take(1)[0]
        if first >> 5 != Major.FLOAT or first & 31 not in _FLOATS:
            raise UpdateError(f"slice is refused: byte {at} begins no float")
        form, size = _FLOATS[first & 31]
        value: float = struct.unpack(form, self._take(size))[0]
        return value

    def end(self) -> None:
        """Refuse what follows."""
        if rest := len(self._data) - self._at:
            raise UpdateError(f"slice is refused: {rest} bytes follow it")

    def _take(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise UpdateError(f"slice is cut short after {len(self._data)} bytes")
        self._at += count
        return self._data[self._at - count : self._at]
