"""A label on a result becomes a sample with the input of just that result."""

from base64 import b64encode
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.channel.messages import ForgetInputs, Recall, Recalled, Retune
from agent.control.commands import MAX_LABELS, SNAPSHOT_LIMIT_MS
from agent.control.labelling import TEND_MS
from agent.learning.samples.sample import Example
from agent.pipeline.recent import Recent
from tests.support.sim import Rig, pipeline

NAMED = {"kind": "classify", "labels": ["zero", "one"]}


def serving(recent: int = 3, **samples: int) -> Rig:
    keeps = {"recent": recent, **samples}
    rig = Rig({"pipelines": {"cam": pipeline(samples=keeps, postprocess=NAMED)}})
    rig.link_up()
    rig.serve()
    return rig


def ask(rig: Rig, op: str, args: Any, id_: str = "1") -> dict[str, Any]:
    rig.receive(f"devices/dev/cmd/{op}/{id_}", {"status": "init", "args": args})
    answer: dict[str, Any] = rig.last(f"cmd/{op}/{id_}")
    return answer


def asked(rig: Rig) -> list[int]:
    return [message.answer for _, message in rig.told if isinstance(message, Recall)]


def recalled(rig: Rig, data: bytes, id_: str = "1") -> dict[str, Any]:
    text = b64encode(data).decode()
    rig.say(Recalled("recalled", id_, text, "int8", 0.5, -3))
    answer: dict[str, Any] = rig.last(f"cmd/label/{id_}")
    return answer


def test_a_labelled_result_is_kept_with_its_input() -> None:
    rig = serving()
    for _ in range(5):
        rig.answer()
    label = {"pipeline": "cam", "sequence": 3, "label": 1}
    assert ask(rig, "label", label)["status"] == "executing"
    assert rig.told[-1] == ("cam", Recall("recall", "1", 3))
    assert rig.samples.load("cam") == []
    assert recalled(rig, b"abc") == {"status": "successful"}, "no count leaves the device"
    ((sample, at_ms),) = rig.samples.kept["cam"].values()
    assert (sample.origin, sample.label, at_ms) == ("result 3", "one", rig.unix_ms)
    assert sample.example == Example(b"abc", "int8", 0.5, -3)
    rig.say(Recalled("recalled", "1", "AAAA", "int8"))
    assert len(rig.samples.load("cam")) == 1, "a second answer was not asked for"


def test_a_new_child_counts_from_nought_and_knows_nothing_of_before() -> None:
    rig = serving()
    rig.answer()
    rig.exit()
    rig.wait(2000)
    label = {"pipeline": "cam", "sequence": 0, "label": "one"}
    assert "must name a running pipeline: none" in ask(rig, "label", label, "early")["reason"]
    rig.serve()
    assert "no longer held" in ask(rig, "label", label, "late")["reason"]
    rig.answer()
    assert ask(rig, "label", label | {"sequence": 1})["status"] == "executing"
    assert asked(rig) == [0]


def test_answers_without_a_sequence_are_counted_too() -> None:
    rig = serving()
    rig.store.refuse = lambda name: name == "reserve"
    rig.answer()
    rig.store.refuse = lambda _: False
    rig.answer()
    ask(rig, "label", {"pipeline": "cam", "sequence": 0, "label": "one"})
    assert asked(rig) == [1]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({}, "args.pipeline must name a pipeline"),
        ({"pipeline": "gone"}, "must name a running pipeline: cam"),
        ({"pipeline": "cam"}, "is refused: give the name or number of a class"),
        ({"pipeline": "cam", "label": "x"}, "input of sequence None is no longer held"),
        ({"pipeline": "cam", "label": "x", "sequence": 0}, "sequence 0 is no longer held"),
        ({"pipeline": "cam", "label": "x", "sequence": True}, "True is no longer held"),
        ({"pipeline": "cam", "label": "x", "seq": 4}, "args.'seq' is not known"),
    ],
)
def test_what_cannot_be_labelled(args: dict[str, Any], words: str) -> None:
    rig = serving()
    for _ in range(4):
        rig.answer()
    assert words in ask(rig, "label", args)["reason"]
    assert asked(rig) == []


def test_a_pipeline_that_holds_nothing_says_how_it_would() -> None:
    rig = serving(recent=0)
    rig.answer()
    label = {"pipeline": "cam", "sequence": 0, "label": "one"}
    assert "set pipelines.cam.samples.recent" in ask(rig, "label", label)["reason"]


def test_a_child_that_is_silent_or_lies_and_a_disk_that_refuses() -> None:
    rig = serving()
    rig.answer()
    label = {"pipeline": "cam", "sequence": 0, "label": "one"}
    for id_ in map(str, range(MAX_LABELS)):
        ask(rig, "label", label, id_)
    assert "send it later" in ask(rig, "label", label, "over")["reason"]
    rig.say(Recalled("recalled", "0", None, reason="newer ones have taken its place"))
    assert "newer ones" in rig.last("cmd/label/0")["reason"]
    rig.say(Recalled("recalled", "1", "?", "int8"))
    assert "nonsense" in rig.last("cmd/label/1")["reason"]
    rig.say(Recalled("recalled", "2", "AAAA", "object"))
    assert "refused" in rig.last("cmd/label/2")["reason"]
    rig.samples.refuses = True
    assert "disk I/O error" in recalled(rig, b"abc", "3")["reason"]
    rig.samples.refuses = False
    rig.wait(SNAPSHOT_LIMIT_MS)
    assert "did not answer" in rig.last("cmd/label/4")["reason"]
    assert "status" in recalled(rig, b"abc", "5")
    assert rig.samples.load("cam") == []


def test_forget() -> None:
    rig = serving()
    for sequence in range(3):
        rig.answer()
        ask(rig, "label", {"pipeline": "cam", "sequence": sequence, "label": sequence % 2})
        recalled(rig, b"abc")
        rig.receive("devices/dev/cmd/label/1", b"")
    assert rig.samples.counts("cam") == {"zero": 2, "one": 1}
    strange = ask(rig, "forget", {"pipeline": "cam", "labell": "one"})
    assert "is not known" in strange["reason"]
    assert (
        "must be a class" in ask(rig, "forget", {"pipeline": "cam", "label": [1.0]}, "2")["reason"]
    )
    done = ask(rig, "forget", {"pipeline": "cam", "label": 0}, "3")
    assert done == {"status": "successful", "args": {"pipeline": "cam", "label": 0}}
    assert rig.samples.counts("cam") == {"one": 1}
    assert rig.told[-1] == ("cam", ForgetInputs("forget_inputs"))
    rig.samples.refuses = True
    assert "disk I/O error" in ask(rig, "forget", {"pipeline": "cam"}, "4")["reason"]
    rig.samples.refuses = False
    assert ask(rig, "forget", {"pipeline": "cam"}, "5")["status"] == "successful"
    assert rig.samples.counts("cam") == {}


def test_age_is_looked_at_now_and_then() -> None:
    rig = serving(max_age_s=100)
    rig.wait(1)
    assert [call[0] for call in rig.samples.expired] == [{"cam": 100}]
    rig.wait(2 * TEND_MS + 60_000)
    assert len(rig.samples.expired) == 3
    rig.samples.refuses = True
    rig.wait(TEND_MS)
    assert "could not be deleted" in rig.logs[-1].text


def test_bounds_of_the_store_change_without_a_restart() -> None:
    rig = serving()
    for samples, is_retuned in (({"per_label": 7}, True), ({"recent": 9}, False)):
        rig.told.clear()
        rig.receive("devices/dev/config/desired", {"pipelines": {"cam": {"samples": samples}}})
        assert isinstance(rig.told[-1][1], Retune) is is_retuned


@given(
    sizes=st.lists(st.integers(1, 50), max_size=40),
    most=st.integers(1, 8),
    limit_bytes=st.integers(20, 100),
    cleared=st.integers(0, 40),
)
def test_the_ring_holds_the_last_inputs_by_number(
    sizes: list[int], most: int, limit_bytes: int, cleared: int
) -> None:
    recent = Recent(most, limit_bytes)
    inputs = [np.full(size, number, np.uint8) for number, size in enumerate(sizes)]
    for number, one in enumerate(inputs):
        if number == cleared:
            recent.clear()
        recent.keep(one)
    held = [number for number in range(len(sizes)) if recent.get(number) is not None]
    assert all(recent.get(number) is inputs[number] for number in held)
    assert held == list(range(len(sizes)))[len(sizes) - len(held) :]
    assert len(held) <= most
    assert sum(sizes[number] for number in held) <= limit_bytes
    first = cleared if cleared < len(sizes) else 0
    if (held[0] if held else len(sizes)) > first:
        one_more = sizes[len(sizes) - len(held) - 1 :]
        assert len(one_more) > most or sum(one_more) > limit_bytes, "nothing goes too soon"
    assert recent.get(-1) is None
    assert recent.get(len(sizes)) is None
