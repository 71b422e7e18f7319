"""Every codec before hostile bytes: refused in one line, or decoded as the documentation says."""

import json
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.contract.federated.codecs.choose import codec_of
from broker.contract.federated.codecs.codec import MAX_VALUE
from broker.contract.federated.codecs.spec import CODEC_IDS, CodecOptions, CodecSpec, most_bytes
from broker.contract.federated.errors import CodecError
from broker.contract.federated.slices import Cut
from tests.support import codec_reference

VECTORS = Path(__file__).parents[1] / "vectors/codecs"
SPECS = [
    CodecSpec("f32"),
    CodecSpec("int8"),
    CodecSpec("int4"),
    CodecSpec("one_bit"),
    *(CodecSpec(name, CodecOptions(0.1, b)) for name in ("top_k", "random_k") for b in (4, 8, 32)),
]
pytestmark = pytest.mark.filterwarnings("error")
each = pytest.mark.parametrize("spec", SPECS, ids=lambda s: f"{s.name}-{s.options.bits}")


def read(spec: CodecSpec, data: bytes, length: int, seed: int = 9) -> np.ndarray | None:
    """Sums of one slice of a vector of 1,000, after they agreed with the reference; or refused."""
    try:
        decoded = codec_of(spec, 1000).decode(data, length, 2, seed)
    except CodecError as error:
        refusal = str(error)
    else:
        refusal = ""
    assert refusal.isprintable()
    assert len(refusal) < 200
    if refusal:
        return None
    sums = np.zeros(length, np.int64)
    decoded.add_to(sums, 1)
    assert sums.tolist() == codec_reference.decode(spec, data, length, 2, seed)
    assert np.abs(sums).max() <= 1.001 * MAX_VALUE * 2**32
    values = decoded.values()
    assert (values.dtype, values.shape) == (np.float32, (length,))
    assert np.array_equal(values, (sums * 2.0**-32).astype(np.float32)) or spec.name == "f32"
    return sums


def encoded(spec: CodecSpec, length: int, chance: int) -> bytes:
    """The third slice of a vector, with `length` parameters."""
    cut = Cut(600 + length, 300)
    values = np.random.default_rng(chance).standard_normal(cut.parameters).astype(np.float32)
    return codec_of(spec, cut.parameters).encode(values, cut, 9)[2]


@each
@given(length=st.sampled_from([1, 2, 7, 8, 255, 256, 257, 300]), chance=st.integers(0, 9))
@settings(max_examples=40)
def test_what_is_encoded_decodes_as_documented(spec, length, chance):
    assert read(spec, encoded(spec, length, chance), length) is not None


@each
@given(data=st.data())
@settings(max_examples=60)
def test_a_changed_slice_is_refused_or_decodes_as_documented(spec, data):
    octets = bytearray(encoded(spec, 300, data.draw(st.integers(0, 3))))
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    read(spec, bytes(octets), 300)


@each
@given(change=st.integers(1, 300))
@settings(max_examples=30)
def test_a_truncated_or_longer_slice_is_refused(spec, change):
    octets = encoded(spec, 300, 1)
    assert read(spec, octets[: max(0, len(octets) - change)], 300) is None
    assert read(spec, octets + bytes(change), 300) is None


@each
@given(length=st.sampled_from([1, 8, 20, 300]), octets=st.binary(max_size=60))
@settings(max_examples=60)
def test_any_bytes_are_refused_or_decode_as_documented(spec, length, octets):
    read(spec, octets, length)


@each
def test_memory_follows_the_length_of_a_slice_and_not_what_bytes_claim(spec):
    codec = codec_of(spec, 1000)
    claims = [b"\xff" * size for size in (0, 4, 8, 300, 1200, 64_000)]
    good = encoded(spec, 300, 1)
    codec.decode(good, 300, 2, 9)
    tracemalloc.start()
    try:
        for octets in [*claims, good]:
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            with suppress(CodecError):
                codec.decode(octets, 300, 2, 9)
            assert tracemalloc.get_traced_memory()[1] - before < 64 * 300 + 4 * len(octets) + 8000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", CODEC_IDS)
def test_the_bytes_of_the_vectors_are_read_and_written(name):
    cases = json.loads((VECTORS / f"{name}.json").read_text())
    assert cases
    for case in cases:
        options = CodecOptions(case["fraction"], case["bits"], case["rounding"])
        spec = CodecSpec(name, options)
        cut = Cut(case["parameters"], case["slice_parameters"])
        vector = np.frombuffer(bytes.fromhex(case["vector"]), "<f4").astype(np.float32)
        codec, seed = codec_of(spec, cut.parameters), int(case["seed"], 16)
        written = codec.encode(vector, cut, seed)
        assert [data.hex() for data in written] == case["slices"]
        sums = np.zeros(cut.parameters, np.int64)
        for at, data in enumerate(written):
            assert len(data) <= most_bytes(spec, cut.length(at), cut.parameters)
            codec.decode(data, cut.length(at), at, seed).add_to(sums[cut.span(at)], case["weight"])
        assert sums.tolist() == case["sums"]
