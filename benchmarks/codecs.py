"""What each codec of federated learning costs: bytes and nanoseconds a parameter, on one core.

Beside each stands plain numpy doing the least that yields the same kind of sum: float64, nothing
checked, no order of summation promised. The sparse ones are given positions and values ready made.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from broker.contract.federated.codecs.choose import codec_of
from broker.contract.federated.codecs.codec import Vector
from broker.contract.federated.codecs.feedback import decode_vector
from broker.contract.federated.codecs.spec import (
    BLOCK,
    CODEC_IDS,
    CodecOptions,
    CodecSpec,
    kept,
)
from broker.contract.federated.slices import Cut
from broker.contract.federated.update import UpdateSlice, decode_slice, encode_slice

WEIGHT, SEED = 37, 0x00FF00FF00FF00FF
SPECS = {
    "f32": CodecSpec("f32"),
    "int8": CodecSpec("int8"),
    "int8 nearest": CodecSpec("int8", CodecOptions(rounding="nearest")),
    "int4": CodecSpec("int4"),
    "one_bit": CodecSpec("one_bit"),
    "top_k 1 % int8": CodecSpec("top_k", CodecOptions(0.01, 8)),
    "top_k 1 % int4": CodecSpec("top_k", CodecOptions(0.01, 4)),
    "random_k 1 % int8": CodecSpec("random_k", CodecOptions(0.01, 8)),
    "random_k 10 % int8": CodecSpec("random_k", CodecOptions(0.1, 8)),
}
Floats = npt.NDArray[np.float64]


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parameters", type=int, default=2**20)
    parser.add_argument("--slice-parameters", type=int, default=8192)
    parser.add_argument("--repeat", type=int, default=9, help="the least time of so many counts")
    arguments = parser.parse_args()
    if arguments.parameters % arguments.slice_parameters or arguments.slice_parameters % BLOCK:
        parser.error(f"parameters must be whole slices, and slices whole blocks of {BLOCK}")
    cut = Cut(arguments.parameters, arguments.slice_parameters)
    vector = (np.random.default_rng(1).standard_normal(cut.parameters) * 1e-3).astype(np.float32)
    with threadpool_limits(1):
        measured = {
            name: measure(spec, vector, cut, arguments.repeat) for name, spec in SPECS.items()
        }
    told = {"parameters": cut.parameters, "slice_parameters": cut.slice_parameters}
    print(json.dumps({"benchmark": "codecs", **told, "codecs": measured}, indent=1))


def measure(spec: CodecSpec, vector: Vector, cut: Cut, repeat: int) -> dict[str, Any]:
    """One codec: size, speed, error, and plain numpy beside it."""
    codec = codec_of(spec, cut.parameters)
    encoded = codec.encode(vector, cut, SEED)
    identifier = CODEC_IDS[spec.name]
    messages = [
        encode_slice(UpdateSlice(at, cut.count, 640, identifier, data))
        for at, data in enumerate(encoded)
    ]
    sums = np.zeros(cut.parameters, np.int64)
    back = decode_vector(codec, encoded, cut, SEED)
    size = sum(map(len, messages))

    def fold(at: int) -> None:
        codec.decode(encoded[at], cut.length(at), at, SEED).add_to(sums[cut.span(at)], WEIGHT)

    encode_s = least(lambda _: codec.encode(vector, cut, SEED), 1, repeat)
    message_s = least(lambda at: decode_slice(messages[at]), cut.count, repeat)
    fold_s = least(fold, cut.count, repeat)
    plain_s = least(plain_fold(spec, vector, cut), cut.count, repeat)
    per = 1e9 / cut.parameters
    return {
        "bytes_per_parameter": round(size / cut.parameters, 5),
        "share_of_f32": round(size / (4 * cut.parameters), 5),
        "error": round(float(np.square(back - vector).sum() / np.square(vector).sum()), 6),
        "encode_ns": round(encode_s * per, 2),
        "message_ns": round(message_s * per, 2),
        "decode_and_add_ns": round(fold_s * per, 2),
        "million_parameters_per_s": round(1e-6 * cut.parameters / fold_s),
        "plain_numpy_ns": round(plain_s * per, 2),
    }


def plain_fold(spec: CodecSpec, vector: Vector, cut: Cut) -> Callable[[int], object]:
    """The same in float64 with as little as possible, for one slice."""
    sums = np.zeros(cut.parameters)
    if spec.name == "f32":
        slices = [vector[cut.span(at)].tobytes() for at in range(cut.count)]

        def floats(at: int) -> None:
            sums[cut.span(at)] += np.float64(WEIGHT) * np.frombuffer(slices[at], "<f4")

        return floats
    if spec.name in ("int8", "int4", "one_bit"):
        return _plain_dense(spec, cut, sums)
    count = kept(cut.slice_parameters, spec.options.fraction)
    place = np.arange(count) * (cut.slice_parameters // count)
    values = vector[:count]

    def sparse(at: int) -> None:
        sums[cut.span(at)][place] += WEIGHT * values

    return sparse


def _plain_dense(spec: CodecSpec, cut: Cut, sums: Floats) -> Callable[[int], object]:
    chance = np.random.default_rng(2)
    octets = chance.integers(0, 256, cut.slice_parameters, np.uint8)
    scales = chance.random((-(-cut.slice_parameters // BLOCK), 1), np.float32)

    def int8(length: int) -> npt.NDArray[Any]:
        rows: npt.NDArray[np.int8] = octets[:length].view(np.int8).reshape(-1, BLOCK)
        return rows * (WEIGHT * scales)

    def int4(length: int) -> npt.NDArray[Any]:
        pairs = octets[: length // 2]
        halves: npt.NDArray[np.int8] = np.stack([pairs << 4, pairs & 0xF0], axis=1).view(np.int8)
        rows: npt.NDArray[np.int8] = (halves >> 4).reshape(-1, BLOCK)
        return rows * (WEIGHT * scales)

    def one_bit(length: int) -> npt.NDArray[Any]:
        signs = (1 - 2 * np.unpackbits(octets[: length // 8]).astype(np.int8)).astype(np.float64)
        weighted: Floats = signs * np.float64(WEIGHT * scales[0, 0])
        return weighted

    make = {"int8": int8, "int4": int4, "one_bit": one_bit}[spec.name]

    def fold(at: int) -> None:
        sums[cut.span(at)] += make(cut.length(at)).reshape(-1)

    return fold


def least(work: Callable[[int], object], parts: int, repeat: int) -> float:
    """Seconds of all parts, of each the quickest of `repeat` runs through all."""
    best = [float("inf")] * parts
    for _ in range(repeat):
        for at in range(parts):
            began = time.perf_counter()
            work(at)
            best[at] = min(best[at], time.perf_counter() - began)
    return sum(best)


if __name__ == "__main__":
    main()
