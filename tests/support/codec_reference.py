"""Decoders written from docs/reference/federated.md in plain Python: the tests' second opinion.

No numpy, no sharing of code with what is tested; slow.
"""

import struct
from hashlib import shake_128


def bits_of(data: bytes) -> list[int]:
    return [byte >> at & 1 for byte in data for at in range(8)]


def stream(seed: int, index: int, purpose: str, count: int) -> bytes:
    return shake_128(struct.pack("<QI", seed, index) + purpose.encode()).digest(count)


def fixed(value: float) -> int:
    return round(value * 2**32)  # ties to even, exact: Python's floats are float64


def blocks(data: bytes, count: int, bits: int) -> list[int]:
    if bits == 32:
        return [fixed(value) for value in struct.unpack(f"<{count}f", data)]
    scales = struct.unpack_from(f"<{-(-count // 256)}f", data)
    rest = data[4 * len(scales) :]
    if bits == 8:
        integers = struct.unpack(f"<{count}b", rest)
    else:
        halves = [half for byte in rest for half in (byte & 15, byte >> 4)]
        integers = [half - 16 if half > 7 else half for half in halves[:count]]
    return [integer * fixed(scales[at // 256]) for at, integer in enumerate(integers)]


def one_bit(data: bytes, length: int, index: int, seed: int) -> list[int]:
    size = 1
    while size < length:
        size *= 2
    signs = [1 - 2 * bit for bit in bits_of(data[4:])[:size]]
    half = 1
    while half < size:
        for start in range(0, size, 2 * half):
            for at in range(start, start + half):
                one, other = signs[at], signs[at + half]
                signs[at], signs[at + half] = one + other, one - other
        half *= 2
    flips = bits_of(stream(seed, index, "flip", -(-size // 8)))
    step = fixed(struct.unpack("<f", data[:4])[0])
    return [(1 - 2 * flip) * sign * step for flip, sign in zip(flips, signs[:length], strict=False)]


def top_k(data: bytes, length: int, bits: int) -> list[int]:
    count = struct.unpack("<I", data[:4])[0]
    dense = [0] * length
    if not count:
        return dense
    value_bytes = 4 * count if bits == 32 else 4 * -(-count // 256) + -(-count * bits // 8)
    values = blocks(data[4 : 4 + value_bytes], count, bits)
    rest = data[4 + value_bytes :]
    low = 0
    while length // count >> low > 1:
        low += 1
    lows = bits_of(rest[: -(-count * low // 8)])
    ones = [at for at, bit in enumerate(bits_of(rest[-(-count * low // 8) :])) if bit]
    for at, value in enumerate(values):
        place = sum(lows[at * low + bit] << bit for bit in range(low))
        dense[(ones[at] - at << low) + place] = value
    return dense


def random_k(data: bytes, length: int, index: int, seed: int, fraction: float, bits: int):
    count = min(length, max(1, round(fraction * length)))
    words = struct.unpack(f"<{count}I", stream(seed, index, "choose", 4 * count))
    starts = [at * length // count for at in range(count + 1)]
    places = [starts[at] + (words[at] * (starts[at + 1] - starts[at]) >> 32) for at in range(count)]
    dense = [0] * length
    for place, value in zip(places, blocks(data, count, bits), strict=True):
        dense[place] = value
    return dense


def decode(spec, data: bytes, length: int, index: int, seed: int) -> list[int]:
    """The values of one slice in units of 2^-32."""
    options = spec.options
    match spec.name:
        case "f32":
            return blocks(data, length, 32)
        case "int8":
            return blocks(data, length, 8)
        case "int4":
            return blocks(data, length, 4)
        case "one_bit":
            return one_bit(data, length, index, seed)
        case "top_k":
            return top_k(data, length, options.bits)
        case "random_k":
            return random_k(data, length, index, seed, options.fraction, options.bits)
    raise AssertionError(spec.name)
