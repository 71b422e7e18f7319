"""One slice of an update as a message: a CBOR map of exactly these keys.

`v` version, `n` number of the slice, `of` how many, `x` examples, `c` codec, `crc` checksum
(CRC-32 of zlib) of `d`, the codec's bytes, and in slice 0 perhaps `l`, losses before and after.
"""

from dataclasses import dataclass
from math import isfinite
from zlib import crc32

from broker.contract.federated.cbor import Major, Reader, head, single, text
from broker.contract.federated.errors import UpdateError
from broker.contract.federated.slices import MAX_SLICES

VERSION = 1
MAX_SLICE_BYTES = 64_000
MAX_DATA_BYTES = MAX_SLICE_BYTES - 100
"""Of the codec's bytes: the keys, numbers and losses around them take less than 100."""

MAX_EXAMPLES = 2**20
"""The largest weight that an update may claim; sums of int64 rely on it."""

HIGHEST = {
    "v": VERSION,
    "n": MAX_SLICES - 1,
    "of": MAX_SLICES,
    "x": MAX_EXAMPLES,
    "c": 255,
    "crc": 2**32 - 1,
}


@dataclass(frozen=True)
class UpdateSlice:
    """One slice of one device's update.

    Attributes:
        number: which slice, from 0.
        of: slices in the whole update.
        examples: how many examples the device trained on, 1 to 2^20; the same in every slice.
        codec: see `CODEC_IDS`.
        data: the codec's bytes.
        losses: mean loss before and after training, in slice 0 only.
    """

    number: int
    of: int
    examples: int
    codec: int
    data: bytes
    losses: tuple[float, float] | None = None


def encode_slice(piece: UpdateSlice) -> bytes:
    """Encode a slice.

    Raises:
        UpdateError: a number or the length is out of bounds.
    """
    numbers = {"v": VERSION, "n": piece.number, "of": piece.of, "x": piece.examples}
    numbers |= {"c": piece.codec, "crc": crc32(piece.data)}
    for key, value in numbers.items():
        if not 0 <= value <= HIGHEST[key]:
            raise UpdateError(f"slice is refused: {key} must be 0 to {HIGHEST[key]}, got {value}")
    _check(piece)
    payload = head(Major.MAP, len(numbers) + (2 if piece.losses else 1))
    payload += b"".join(text(key) + head(Major.INTEGER, numbers[key]) for key in numbers)
    if piece.losses:
        payload += text("l") + head(Major.ARRAY, 2) + b"".join(map(single, piece.losses))
    return payload + text("d") + head(Major.BYTES, len(piece.data)) + piece.data


def decode_slice(payload: bytes) -> UpdateSlice:
    """Decode a slice from outside; keys may come in any order, each once.

    Raises:
        UpdateError: too long, not CBOR, another key, a number out of bounds, or a wrong checksum.
    """
    if len(payload) > MAX_SLICE_BYTES:
        raise UpdateError(f"slice of {len(payload)} bytes exceeds the limit of {MAX_SLICE_BYTES}")
    reader = Reader(payload)
    numbers: dict[str, int] = {}
    data: bytes | None = None
    losses: tuple[float, float] | None = None
    for _ in range(reader.argument(Major.MAP, len(HIGHEST) + 2, "number of keys")):
        key = reader.key(3)
        if key in HIGHEST and key not in numbers:
            numbers[key] = reader.argument(Major.INTEGER, HIGHEST[key], key)
        elif key == "d" and data is None:
            data = reader.data(MAX_DATA_BYTES, "length of d")
        elif key == "l" and losses is None:
            if reader.argument(Major.ARRAY, 2, "length of l") != 2:
                raise UpdateError("slice is refused: l must be a pair")
            losses = (reader.real(), reader.real())
        else:
            raise UpdateError(f"slice is refused: key {key!r} is unknown or given twice")
    reader.end()
    if data is None or len(numbers) < len(HIGHEST):
        raise UpdateError(f"slice is refused: it must have {', '.join(HIGHEST)} and d")
    if numbers["v"] != VERSION:
        raise UpdateError(f"slice of version {numbers['v']} is refused: this one reads {VERSION}")
    if numbers["crc"] != crc32(data):
        raise UpdateError("slice is damaged: its checksum differs")
    piece = UpdateSlice(numbers["n"], numbers["of"], numbers["x"], numbers["c"], data, losses)
    _check(piece)
    return piece


def _check(piece: UpdateSlice) -> None:
    if piece.examples < 1:
        raise UpdateError("slice is refused: x must be at least 1, got 0")
    if piece.number >= piece.of:
        raise UpdateError(f"slice {piece.number} of {piece.of} does not exist")
    if len(piece.data) > MAX_DATA_BYTES:
        raise UpdateError(f"slice is refused: d exceeds {MAX_DATA_BYTES} bytes")
    if piece.losses is not None:
        if piece.number:
            raise UpdateError("slice is refused: only slice 0 tells losses")
        if not all(map(isfinite, piece.losses)):
            raise UpdateError("slice is refused: a loss is not finite")
