"""Updates that no honest device of `tests.support.aggregation` sends, as it would send them."""

from dataclasses import replace

import numpy as np

from broker.contract.federated.codecs.spec import CODEC_IDS, CodecSpec
from broker.contract.federated.job import JobSpec
from broker.contract.federated.update import UpdateSlice, decode_slice, encode_slice
from tests.support.aggregation import update


def f32(values, number=0, of=3, examples=10, codec=0):
    data = np.asarray(values, "<f4").tobytes()
    return encode_slice(UpdateSlice(number, of, examples, codec, data))


def with_examples(count: int) -> bytes:
    """A slice whose x no encoder of ours writes; CBOR of 64-bit and negative integers."""
    honest = f32(np.zeros(256))
    at = honest.index(b"\x61x") + 2
    head = b"\x1b" + count.to_bytes(8, "big") if count >= 0 else bytes([0x20 | (-1 - count)])
    return honest[:at] + head + honest[at + 1 :]


LIES = {
    "NaN": [f32([np.nan] * 256, 0), f32(np.zeros(256), 1), f32(np.zeros(88), 2)],
    "Inf": [f32(np.zeros(256), 0), f32([np.inf] * 256, 1), f32(np.zeros(88), 2)],
    "beyond the bound": [f32([3e6] * 256, 0), f32(np.zeros(256), 1), f32(np.zeros(88), 2)],
    "too short": [f32(np.zeros(255), 0), f32(np.zeros(256), 1), f32(np.zeros(88), 2)],
    "too long": [f32(np.zeros(256), 0), f32(np.zeros(256), 1), f32(np.zeros(89), 2)],
    "another number of slices": [f32(np.zeros(256), 0, of=4)],
    "another codec": [f32(np.zeros(256), 0, codec=CODEC_IDS["int8"])],
    "slices that disagree": [f32(np.zeros(256), 0), f32(np.zeros(256), 1, examples=11)],
    "negative examples": [with_examples(-3)],
    "no examples": [with_examples(0)],
    "10^12 examples": [with_examples(10**12)],
    "no CBOR": [b"\xff\x00hello"],
    "nothing": [b""],
    "damage": [f32(np.zeros(256))[:-1] + b"\x01"],
    "the wrong place": [f32(np.zeros(256), 1)],
}
"""Messages of a liar, in the order of their places; they are for a job with codec f32."""


def greedy(spec: JobSpec, device: str, number: int, seed: str) -> list[bytes]:
    """An update with more values than the job's top-k lets one send."""
    options = replace(spec.codec.options, fraction=0.5)
    return update(replace(spec, codec=CodecSpec("top_k", options)), device, number, seed)


def times(spec: JobSpec, device: str, number: int, factor: float) -> list[bytes]:
    """An honest update, so many times as large."""
    honest = [decode_slice(piece) for piece in update(spec, device, number, "0" * 16)]
    return [
        encode_slice(
            replace(piece, data=(np.frombuffer(piece.data, "<f4") * np.float32(factor)).tobytes())
        )
        for piece in honest
    ]
