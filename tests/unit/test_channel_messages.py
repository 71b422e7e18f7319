"""The messages on the channel: round trips, strangers refused, and the answers' short cut."""

import dataclasses
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.channel.framing import MAX_FRAME_BYTES, FrameDecoder, frame
from agent.channel.messages import (
    Answer,
    Feed,
    FromChild,
    Mcu,
    Mcus,
    Progress,
    Ready,
    Refused,
    Retune,
    Snapshot,
    Start,
    Stop,
    TakeSnapshot,
    ToChild,
    from_child,
    to_child,
)
from agent.errors import ChannelError
from agent.pipeline.answers import answer_frame
from broker.contract.messages import Latency, McuMetrics, McuStatus
from broker.contract.shape import to_tree

LINES = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)
COUNTS = st.integers(0, 2**53 - 1)
NAMES = st.text("abz019_-", min_size=1, max_size=64)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TREES = st.dictionaries(LINES, st.lists(NUMBERS, max_size=3) | LINES | st.none(), max_size=3)
MESSAGES = st.one_of(
    st.builds(Ready, st.just("ready"), LINES, LINES, LINES, NUMBERS),
    st.builds(Progress, st.just("progress"), COUNTS, COUNTS, LINES, st.none() | LINES),
    st.builds(
        Answer,
        st.just("answer"),
        st.integers(0, 2**63 - 1),
        TREES,
        st.builds(Latency, COUNTS, COUNTS, COUNTS, COUNTS),
        st.none() | LINES,
        st.none() | LINES,
        st.none() | NAMES,
    ),
    st.builds(
        Mcus,
        st.just("mcus"),
        st.dictionaries(
            NAMES,
            st.builds(
                Mcu,
                st.builds(McuStatus, st.sampled_from(["ready", "quarantined"]), st.none() | LINES),
                st.builds(McuMetrics, *[COUNTS] * 6),
            ),
            max_size=3,
        ),
    ),
    st.builds(Refused, st.just("refused"), LINES),
    st.builds(Snapshot, st.just("snapshot"), LINES, TREES),
    st.builds(Start, st.just("start"), LINES, TREES),
    st.builds(Retune, st.just("retune"), TREES),
    st.builds(Feed, st.just("feed"), st.text("abcXYZ09+/=", max_size=100)),
    st.builds(TakeSnapshot, st.just("take_snapshot"), LINES),
    st.just(Stop("stop")),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | LINES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(LINES, inner, max_size=4),
    max_leaves=10,
)
KINDS = [*get_args(FromChild), *get_args(ToChild)]
FIELDS = sorted({field.name for kind in KINDS for field in dataclasses.fields(kind)})
NAMES = st.sampled_from(["ready", "progress", "answer", "refused", "snapshot", "start", "feed"])


def through(message: Any) -> Any:
    (tree,) = FrameDecoder().receive(frame(to_tree(message)))
    return tree


@given(MESSAGES)
def test_every_message_comes_back_as_it_was_and_only_in_its_direction(message: Any) -> None:
    right, wrong = from_child, to_child
    if isinstance(message, ToChild):
        right, wrong = to_child, from_child
    assert right(through(message)) == message
    with pytest.raises(ChannelError):
        wrong(through(message))


@given(
    ANYTHING | st.dictionaries(st.sampled_from(FIELDS), ANYTHING | NAMES, max_size=6),
    st.none() | NAMES,
)
def test_anything_else_raises_only_channel_errors_of_one_line(tree: Any, kind: Any) -> None:
    if isinstance(tree, dict) and kind is not None:
        tree = tree | {"kind": kind}
    for typed in (from_child, to_child):
        try:
            message = typed(tree)
        except ChannelError as error:
            text = str(error)
            assert len(text) < 2000
        else:
            assert type(message) in KINDS


@given(
    st.integers(0, 2**63 - 1),
    st.none() | LINES,
    TREES,
    st.lists(st.integers(0, 10**12), min_size=3, max_size=3),
    st.integers(-(10**9), 10**9),
)
def test_the_short_cut_of_answers_equals_the_long_way(
    captured_ns: int, name: str | None, outputs: Any, steps: list[int], lag_ns: int
) -> None:
    began = max(0, captured_ns + lag_ns)
    invoked, answered, ready = (began + sum(steps[: i + 1]) for i in range(3))
    (tree,) = FrameDecoder().receive(
        answer_frame(captured_ns, name, outputs, (began, invoked, answered, ready))
    )
    us = (
        (invoked - began) // 1000,
        (answered - invoked) // 1000,
        (ready - answered) // 1000,
        max(0, ready - captured_ns) // 1000,
    )
    expected = Answer("answer", captured_ns, outputs, Latency(*us), name)
    assert from_child(tree) == expected == from_child(through(expected))


def test_an_answer_passes_after_ten_years_without_a_reboot() -> None:
    ns = 10 * 365 * 24 * 3600 * 10**9
    (tree,) = FrameDecoder().receive(answer_frame(ns, None, {}, (ns, ns, ns, ns)))
    assert from_child(tree).monotonic_ns == ns


@pytest.mark.parametrize("name", ["picture\udcff.png", "\ud800", "a" * 5000, "\n\x00\x7f", "名前"])
def test_an_answer_passes_whatever_its_file_is_called(name: str) -> None:
    (tree,) = FrameDecoder().receive(answer_frame(1, name, {}, (1, 1, 1, 1)))
    assert from_child(tree).input == name[:400].replace("\udcff", "?").replace("\ud800", "?")


@pytest.mark.parametrize(
    "outputs", [{"x": float("nan")}, {"x": b""}, {"x": "a" * MAX_FRAME_BYTES}, {"x": {1}}]
)
def test_outputs_that_cannot_be_sent_are_refused(outputs: Any) -> None:
    with pytest.raises(ChannelError):
        answer_frame(1, None, outputs, (1, 1, 1, 1))
