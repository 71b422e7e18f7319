"""Labels from outside, and which samples go when there are too many."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SampleError
from agent.learning.samples.retention import Held, victims
from agent.learning.samples.sample import (
    MAX_EXAMPLE_BYTES,
    MAX_LABEL,
    MAX_TARGETS,
    Example,
    check_example,
    label_of,
)

HELD = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 50)), max_size=30).map(
    lambda pairs: [Held(i, label, size) for i, (label, size) in enumerate(pairs)]
)


@given(held=HELD, limit_bytes=st.integers(50, 600), per_label=st.integers(1, 12))
def test_what_is_left_keeps_the_bounds_and_rare_labels(
    held: list[Held], limit_bytes: int, per_label: int
) -> None:
    gone = victims(reversed(held), limit_bytes, per_label)
    assert len(set(gone)) == len(gone)
    left = [one for one in held if one.id not in gone]
    assert sum(one.size_bytes for one in left) <= limit_bytes
    before, after = (Counter(one.label for one in some) for some in (held, left))
    assert all(count <= per_label for count in after.values())
    for label in before:
        ids = [one.id for one in held if one.label == label]
        assert [one.id for one in left if one.label == label] == ids[len(ids) - after[label] :], (
            "of one label the oldest go first"
        )
        if after[label] < min(before[label], per_label):
            assert after[label] >= max(after.values()) - 1, "only a commonest label gives room"
    if before and sum(one.size_bytes for one in held) <= limit_bytes:
        assert len(gone) == sum(max(0, count - per_label) for count in before.values())


@pytest.mark.parametrize(
    ("said", "label"),
    [("yes", "yes"), ("ja!", "ja!"), (3, "3"), ([1, 2.5], (1.0, 2.5)), ("x" * MAX_LABEL,) * 2],
)
def test_labels(said: Any, label: Any) -> None:
    assert label_of(said) == label


@pytest.mark.parametrize(
    "said",
    [
        *(None, True, -1, 2**16, 1.5, "", "a\nb", "x" * (MAX_LABEL + 1), {}, {"a": 1}),
        *([], [1, "2"], [float("nan")], [1e31], [10**400], [True], [0] * (MAX_TARGETS + 1)),
    ],
)
def test_what_is_no_label_is_refused_in_one_line(said: Any) -> None:
    with pytest.raises(SampleError, match="is refused: give the name or number") as caught:
        label_of(said)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "example",
    [
        Example(b"", "int8"),
        Example(bytes(MAX_EXAMPLE_BYTES + 1), "int8"),
        Example(b"123", "float32"),
        Example(b"1234", "object"),
        Example(b"1", "int8", float("nan")),
        Example(b"1", "int8", -1.0),
        Example(b"1", "int8", 1.0, 2**40),
    ],
)
def test_what_is_no_example_is_refused(example: Example) -> None:
    with pytest.raises(SampleError, match="refused"):
        check_example(example)
