"""A sensor's message labels the input of its moment, and nothing else."""

from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.channel.messages import Recall, Recalled
from agent.config.samples import OutcomeConfig
from agent.control.events import Log, Received
from agent.control.outcomes import MAX_WAITING, PATIENCE_MS, label_in
from agent.errors import ConfigError, SampleError
from broker.contract.codec import MAX_JSON_BYTES
from tests.support.sim import Rig, pipeline

TOPIC = "barn/door"


def serving(recent: int = 10, **outcome: Any) -> Rig:
    samples = {"recent": recent, "outcome": {"topic": TOPIC, **outcome}}
    rig = Rig({"pipelines": {"cam": pipeline(samples=samples)}})
    rig.link_up()
    rig.serve()
    return rig


def tell(rig: Rig, payload: bytes, **more: Any) -> list[Any]:
    return rig.handle(Received(TOPIC, payload, **more))


def asked(rig: Rig) -> list[int]:
    return [message.answer for _, message in rig.told if isinstance(message, Recall)]


def hand_over(rig: Rig) -> None:
    """The pipeline gives every input that it was asked for."""
    data = b64encode(b"abc").decode()
    for _, message in list(rig.told):
        if isinstance(message, Recall):
            rig.say(Recalled("recalled", message.id, data, "int8", 0.5, -3))
    rig.told.clear()


def kept(rig: Rig) -> dict[str, Any]:
    return {sample.origin: sample.label for sample, _ in rig.samples.kept.get("cam", {}).values()}


def answers_each_second(rig: Rig, count: int) -> None:
    for _ in range(count):
        rig.answer()
        rig.wait(1000)


def test_the_input_of_the_moment_gets_the_label() -> None:
    rig = serving(after_s=2.0)
    answers_each_second(rig, 5)  # at 0 to 4 s; it is 5 s
    tell(rig, b"open")
    hand_over(rig)
    assert kept(rig) == {"result 3": "open"}
    tell(rig, b'"closed"')
    hand_over(rig)
    assert kept(rig) == {"result 3": "closed"}, "a later word on the same input replaces it"


def test_a_message_of_another_moment_or_of_no_known_time_labels_nothing() -> None:
    rig = serving(after_s=0.0, within_s=0.5)
    answers_each_second(rig, 1)
    (said,) = (one for one in tell(rig, b"open") if isinstance(one, Log))
    assert "no input of that moment is held" in said.text
    rig.answer()
    tell(rig, b"open", retained=True)
    assert asked(rig) == []
    tell(rig, b"open")
    assert asked(rig) == [1]


def test_what_the_pipeline_hands_over_unasked_or_too_late_is_not_kept() -> None:
    rig = serving()
    rig.answer()
    rig.say(Recalled("recalled", "outcome 1", "AAAA", "int8"))
    tell(rig, b"open")
    rig.wait(PATIENCE_MS)
    for _ in range(2):
        rig.answer()
        tell(rig, b"open")  # the first one's time is over by now
    rig.say(Recalled("recalled", "outcome 1", "AAAA", "int8"))
    assert kept(rig) == {}


def test_labels_on_their_way_are_bounded() -> None:
    rig = serving(within_s=100.0)
    rig.answer()
    for _ in range(MAX_WAITING + 5):
        tell(rig, b"open")
    assert len(asked(rig)) == MAX_WAITING
    hand_over(rig)
    tell(rig, b"open")
    assert len(asked(rig)) == 1, "there is room again"


def test_the_topic_is_read_while_the_configuration_names_it() -> None:
    rig = serving()
    assert TOPIC in rig.filters
    outcome = {"pipelines": {"cam": {"samples": {"outcome": {"topic": "barn/gate"}}}}}
    rig.receive("devices/dev/config/desired", outcome)
    assert TOPIC not in rig.filters
    assert "barn/gate" in rig.filters


@pytest.mark.parametrize(
    ("payload", "more", "label"),
    [
        (b"ON", {}, "ON"),
        (b"true", {}, "true"),
        (b"3", {}, 3),
        (b'{"state": {"door": "open"}}', {"path": "state.door"}, "open"),
        (b"21.5", {"label": "target"}, [21.5]),
        (b"[1, 2]", {"label": "target"}, [1, 2]),
    ],
)
def test_what_sensors_say(payload: bytes, more: dict[str, Any], label: object) -> None:
    assert label_in(payload, OutcomeConfig(TOPIC, **more)) == label


@pytest.mark.parametrize(
    ("payload", "more"),
    [
        (b"\xff", {}),
        (b"x" * (MAX_JSON_BYTES + 1), {}),
        (b"ON", {"path": "state"}),
        (b'{"a": 1}', {"path": "state"}),
        (b"warm", {"label": "target"}),
        (b"[" * 50_000, {}),
    ],
)
def test_what_holds_no_label(payload: bytes, more: dict[str, Any]) -> None:
    with pytest.raises(SampleError):
        label_in(payload, OutcomeConfig(TOPIC, **more))


@given(st.binary(max_size=60), st.sampled_from([None, "a", "0.b"]))
def test_nothing_that_a_sensor_says_ends_the_agent(payload: bytes, path: str | None) -> None:
    rig = serving(path=path)
    rig.answer()
    tell(rig, payload)
    hand_over(rig)
    assert all(isinstance(label, str) for label in kept(rig).values())


def test_an_outcome_needs_inputs_that_are_held() -> None:
    with pytest.raises(ConfigError, match="recent must be above 0"):
        serving(recent=0)
