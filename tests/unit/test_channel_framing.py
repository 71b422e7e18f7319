"""Frames between main process and child, whole, in pieces, damaged and lying."""

import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.channel.framing import HEADER_BYTES, MAX_FRAME_BYTES, FrameDecoder, frame
from agent.errors import ChannelError

NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TREES = st.dictionaries(
    TEXTS,
    st.recursive(
        st.none() | st.booleans() | NUMBERS | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@given(st.lists(TREES, max_size=5), st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_frames_come_whole_however_they_are_cut(trees: list[Any], cuts: list[int]) -> None:
    stream = b"".join(frame(tree) for tree in trees)
    decoder, messages, at = FrameDecoder(), [], 0
    while at < len(stream):
        size = cuts[at % len(cuts)]
        messages += decoder.receive(stream[at : at + size])
        at += size
    assert messages == trees


@given(TREES)
def test_byte_by_byte_nothing_comes_before_the_last_byte(tree: Any) -> None:
    decoder = FrameDecoder()
    *front, last = frame(tree)
    assert all(decoder.receive(bytes([byte])) == [] for byte in front)
    assert decoder.receive(bytes([last])) == [tree]


@given(st.binary(max_size=200), st.integers(1, 64))
def test_arbitrary_bytes_raise_only_channel_errors(data: bytes, size: int) -> None:
    decoder = FrameDecoder()
    try:
        for at in range(0, len(data), size):
            decoder.receive(data[at : at + size])
    except ChannelError:
        pass
    assert len(decoder._rest) <= len(data)


@given(TREES, st.data())
def test_a_mutated_frame_raises_only_channel_errors(tree: Any, data: st.DataObject) -> None:
    stream = bytearray(frame(tree) * 2)
    for _ in range(data.draw(st.integers(1, 4))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    messages, refusal = [], "one line"
    try:
        messages = FrameDecoder().receive(bytes(stream))
    except ChannelError as error:
        refusal = str(error)
    assert all(isinstance(m, dict | list | str | int | float | None) for m in messages)
    assert len(refusal.splitlines()) == 1


@pytest.mark.parametrize("length", [MAX_FRAME_BYTES + 1, 2**31, 2**31 - 1, 2**32 - 1])
def test_a_length_beyond_the_limit_is_refused_before_a_byte_of_it_came(length: int) -> None:
    decoder = FrameDecoder()
    decoder.receive(length.to_bytes(4, "big")[:3])
    tracemalloc.start()
    try:
        with pytest.raises(ChannelError, match=f"frame of {length} bytes"):
            decoder.receive(length.to_bytes(4, "big")[3:])
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 100_000


@given(st.integers(0, 2**32 - 1), st.binary(max_size=50))
def test_any_claimed_length_waits_or_is_refused(length: int, body: bytes) -> None:
    decoder = FrameDecoder()
    try:
        decoder.receive(length.to_bytes(4, "big") + body)
    except ChannelError:
        return
    assert length <= MAX_FRAME_BYTES
    assert len(decoder._rest) <= HEADER_BYTES + len(body)


def test_a_frame_of_the_largest_size_passes_and_holds_no_more_than_itself() -> None:
    tree = {"x": "a" * (MAX_FRAME_BYTES - len('{"x":""}'))}
    stream = frame(tree)
    assert len(stream) == HEADER_BYTES + MAX_FRAME_BYTES
    decoder = FrameDecoder()
    for at in range(0, len(stream), 65536):
        messages = decoder.receive(stream[at : at + 65536])
        assert len(decoder._rest) <= len(stream)
    assert messages == [tree]
    assert len(decoder._rest) == 0


@pytest.mark.parametrize(
    "tree", [{"x": "a" * MAX_FRAME_BYTES}, {"x": float("nan")}, {"x": b"bytes"}, {"x": {1, 2}}]
)
def test_what_the_peer_would_refuse_is_not_sent(tree: Any) -> None:
    with pytest.raises(ChannelError):
        frame(tree)


@settings(max_examples=20)
@given(st.integers(1000, 200_000))
def test_depth_is_refused_rather_than_recursed(depth: int) -> None:
    body = b"[" * depth + b"]" * depth
    with pytest.raises(ChannelError, match="deep"):
        FrameDecoder().receive(len(body).to_bytes(4, "big") + body)
