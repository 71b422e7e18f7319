"""Which codec a job wants, and how many bytes a slice of it takes at most; without numpy."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from broker.contract.shape import Doc, Range

BLOCK = 256
"""So many integers share one float32 scale."""

CodecName = Literal["f32", "int8", "int4", "one_bit", "top_k", "random_k"]


@dataclass(frozen=True)
class CodecOptions:
    """What a codec leaves open; each ignores what does not concern it."""

    fraction: Annotated[
        float, Range(above=0, maximum=1), Doc("of the parameters that are sent: top_k, random_k")
    ] = 0.01
    bits: Annotated[Literal[4, 8, 32], Doc("of a value that is sent: top_k, random_k")] = 8
    rounding: Annotated[
        Literal["nearest", "stochastic"], Doc("nearest errs least, stochastic is unbiased")
    ] = "stochastic"


@dataclass(frozen=True)
class CodecSpec:
    """How an update is compressed."""

    name: CodecName = "f32"
    options: CodecOptions = field(default_factory=CodecOptions)


CODEC_IDS: dict[CodecName, int] = {
    "f32": 0,
    "int8": 1,
    "int4": 2,
    "one_bit": 3,
    "top_k": 4,
    "random_k": 5,
}
"""The number of each codec in a message."""


def most_bytes(spec: CodecSpec, length: int, parameters: int) -> int:
    """The most bytes that a slice of `length` parameters takes, of a vector of `parameters`."""
    match spec.name:
        case "f32":
            return 4 * length
        case "int8":
            return value_bytes(length, 8)
        case "int4":
            return value_bytes(length, 4)
        case "one_bit":
            return 4 + (padded(length) + 7) // 8
        case "top_k":
            most = min(length, kept(parameters, spec.options.fraction))
            return 4 + most_sparse_bytes(length, most, spec.options.bits)
        case "random_k":
            return value_bytes(kept(length, spec.options.fraction), spec.options.bits)


def kept(length: int, fraction: float) -> int:
    """How many of `length` parameters are sent."""
    return min(length, max(1, round(fraction * length)))


def padded(length: int) -> int:
    """The power of two that a slice is padded to before it is rotated."""
    return 1 << (length - 1).bit_length()


def value_bytes(count: int, bits: int) -> int:
    """Bytes of `count` values of `bits` bits: float32, or integers after the scales of blocks."""
    scales = 0 if bits == 32 else -(-count // BLOCK)
    return 4 * scales + -(-count * bits // 8)


def low_bits(length: int, count: int) -> int:
    """How many low bits of each of `count` positions below `length` are stored as they are."""
    return (length // count).bit_length() - 1 if count else 0


def position_bytes(length: int, count: int) -> int:
    """Bytes of `count` ascending positions below `length`: low bits, then high bits in unary."""
    if not count:
        return 0
    low = low_bits(length, count)
    return -(-count * low // 8) + -(-(count + ((length - 1) >> low)) // 8)


def most_sparse_bytes(length: int, most: int, bits: int) -> int:
    """The most bytes of up to `most` positions and values; a fuller slice may take fewer."""
    steps = {most} | {length >> at for at in range(length.bit_length()) if length >> at <= most}
    return max(position_bytes(length, n) + value_bytes(n, bits) for n in steps | {0})
