"""Slices as messages: a foreign CBOR library agrees, and nothing else gets in."""

import struct
from zlib import crc32

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker.contract.federated.errors import UpdateError
from broker.contract.federated.slices import MAX_SLICES
from broker.contract.federated.update import (
    MAX_DATA_BYTES,
    MAX_EXAMPLES,
    MAX_SLICE_BYTES,
    UpdateSlice,
    decode_slice,
    encode_slice,
)

LOSS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def pieces(draw: st.DrawFn) -> UpdateSlice:
    of = draw(st.integers(1, MAX_SLICES))
    number = draw(st.sampled_from([0, of - 1]) | st.integers(0, of - 1))
    losses = draw(st.none() | st.tuples(LOSS, LOSS)) if number == 0 else None
    examples = draw(st.integers(1, MAX_EXAMPLES))
    return UpdateSlice(number, of, examples, draw(st.integers(0, 255)), draw(st.binary()), losses)


def tree(piece: UpdateSlice) -> dict:
    told = {"v": 1, "n": piece.number, "of": piece.of, "x": piece.examples, "c": piece.codec}
    told |= {"crc": crc32(piece.data), "d": piece.data}
    return told if piece.losses is None else told | {"l": list(piece.losses)}


GOOD = tree(UpdateSlice(0, 2, 64, 1, b"abc", (0.5, 0.25)))


@given(pieces())
def test_cbor2_reads_what_we_write(piece):
    assert cbor2.loads(encode_slice(piece)) == tree(piece)


@given(pieces(), st.randoms(use_true_random=False), st.booleans())
def test_we_read_what_cbor2_writes_in_any_order_of_keys(piece, chance, canonical):
    items = list(tree(piece).items())
    chance.shuffle(items)
    assert decode_slice(cbor2.dumps(dict(items), canonical=canonical)) == piece


@given(pieces())
def test_a_slice_survives_the_round_trip(piece):
    assert decode_slice(encode_slice(piece)) == piece


def test_the_largest_slice_fits():
    piece = UpdateSlice(0, MAX_SLICES, MAX_EXAMPLES, 255, bytes(MAX_DATA_BYTES), (1.0, 1.0))
    assert len(encode_slice(piece)) <= MAX_SLICE_BYTES
    assert decode_slice(encode_slice(piece)) == piece


def refused(payload: bytes) -> str:
    with pytest.raises(UpdateError) as refusal:
        decode_slice(payload)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 200
    return str(refusal.value)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"v": 2}, "v must be at most 1"),
        ({"v": 0}, "version 0"),
        ({"n": 2}, "slice 2 of 2 does not exist"),
        ({"n": 1}, "only slice 0 tells losses"),
        ({"of": 0}, "does not exist"),
        ({"of": MAX_SLICES + 1}, "of must be at most"),
        ({"x": 0}, "x must be at least 1"),
        ({"x": -5}, "begins no integer"),
        ({"x": 10**12}, "x must be at most 1048576, got 1000000000000"),
        ({"x": 2**64}, "begins no integer"),
        ({"x": 5.0}, "begins no integer"),
        ({"c": 256}, "c must be at most"),
        ({"crc": 1}, "damaged"),
        ({"d": "abc"}, "begins no bytes"),
        ({"d": b"abd"}, "damaged"),
        ({"d": bytes(MAX_DATA_BYTES + 1)}, "length of d must be at most"),
        ({"l": [0.5, float("nan")]}, "not finite"),
        ({"l": [0.5, float("inf")]}, "not finite"),
        ({"l": [0.5]}, "pair"),
        ({"l": [1, 2]}, "begins no float"),
        ({"z": 1}, "number of keys must be at most 8"),
    ],
)
def test_a_slice_that_breaks_its_bounds_is_refused(change, why):
    assert why in refused(cbor2.dumps(GOOD | change))


@pytest.mark.parametrize("key", ["v", "n", "of", "x", "c", "crc", "d"])
def test_a_slice_that_lacks_a_key_is_refused(key):
    assert "must have" in refused(cbor2.dumps({k: v for k, v in GOOD.items() if k != key}))


def test_what_is_no_plain_map_is_refused():
    plain = {key: value for key, value in GOOD.items() if key != "l"}
    assert "unknown" in refused(cbor2.dumps(plain | {"z": 1}))
    assert "length of a key" in refused(cbor2.dumps(plain | {"longer": 1}))
    good = cbor2.dumps(plain)
    twice = bytes([good[0] + 1]) + good[1:] + cbor2.dumps("n") + cbor2.dumps(0)
    assert "given twice" in refused(twice)
    assert "1 bytes follow" in refused(good + b"\0")
    assert "exceeds the limit" in refused(bytes(MAX_SLICE_BYTES + 1))
    refused(b"\xbf" + good[1:] + b"\xff")  # indefinite length
    refused(b"\xd9\xd9\xf7" + good)  # a tag
    refused(b"\x81" * 60_000)
    refused(struct.pack("!BQ", 5 << 5 | 27, 2**63))
    refused(b"")


@given(st.binary(max_size=80))
@example(b"\xa7\x61")
def test_any_bytes_are_refused(payload):
    refused(payload)


@given(pieces(), st.data())
def test_every_truncation_and_every_change_is_refused_or_still_a_slice(piece, data):
    payload = encode_slice(piece)
    refused(payload[: data.draw(st.integers(0, len(payload) - 1))])
    spoilt = bytearray(payload)
    at = data.draw(st.integers(0, len(spoilt) - 1))
    spoilt[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        changed = decode_slice(bytes(spoilt))
    except UpdateError:
        return
    assert changed.data == piece.data  # a number changed, which the round checks
    assert 1 <= changed.examples <= MAX_EXAMPLES


@pytest.mark.parametrize(
    "piece",
    [
        UpdateSlice(-1, 1, 1, 0, b""),
        UpdateSlice(0, MAX_SLICES + 1, 1, 0, b""),
        UpdateSlice(1, 1, 1, 0, b""),
        UpdateSlice(0, 1, 0, 0, b""),
        UpdateSlice(0, 1, MAX_EXAMPLES + 1, 0, b""),
        UpdateSlice(0, 1, 1, 0, bytes(MAX_DATA_BYTES + 1)),
        UpdateSlice(1, 2, 1, 0, b"", (0.0, 0.0)),
        UpdateSlice(0, 2, 1, 0, b"", (float("nan"), 0.0)),
    ],
)
def test_what_would_be_refused_is_not_sent(piece):
    with pytest.raises(UpdateError):
        encode_slice(piece)
