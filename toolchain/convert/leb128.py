"""LEB128, the variable-length integers of wasm."""

from toolchain.errors import ModelRefused

_MAX_BYTES = 5


def write_u32(value: int) -> bytes:
    """The shortest encoding of an unsigned 32-bit number."""
    assert 0 <= value < 1 << 32
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def write_i32(value: int) -> bytes:
    """The shortest encoding of a signed 32-bit number."""
    assert -(1 << 31) <= value < 1 << 31
    encoded = bytearray()
    while not -0x40 <= value < 0x40:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value & 0x7F])


def read_u32(data: memoryview, start: int) -> tuple[int, int]:
    """The number at `start`, and where it ends; longer encodings than needed are valid wasm.

    Raises:
        ModelRefused: it ends outside the data, or does not fit in 32 bits.
    """
    value, end = _read(data, start)
    if value >= 1 << 32:
        raise ModelRefused(f"wasm: the number at byte {start} does not fit in 32 bits")
    return value, end


def read_i32(data: memoryview, start: int) -> tuple[int, int]:
    """The signed number at `start`, and where it ends.

    Raises:
        ModelRefused: it ends outside the data, or does not fit in 32 bits.
    """
    value, end = _read(data, start)
    if data[end - 1] & 0x40:
        value -= 1 << 7 * (end - start)
    if not -(1 << 31) <= value < 1 << 31:
        raise ModelRefused(f"wasm: the number at byte {start} does not fit in 32 bits")
    return value, end


def _read(data: memoryview, start: int) -> tuple[int, int]:
    value = 0
    for number, byte in enumerate(data[start : start + _MAX_BYTES]):
        value |= (byte & 0x7F) << 7 * number
        if byte < 0x80:
            return value, start + number + 1
    raise ModelRefused(f"wasm: the number at byte {start} has no end")
