"""What operators see, whatever the broker sends."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.contract.codec import MAX_JSON_BYTES
from broker.contract.errors import MessageError
from broker.contract.messages import PipelineStatus, ReportedConfig, Status, encode
from broker.contract.topics import Topics
from broker.errors import BrokerError, ConfigError, LinkError, UsageError
from broker.fleet.config_change import ConfigChange
from broker.fleet.config_view import ConfigView
from broker.fleet.document import (
    Change,
    read_document,
)
from broker.fleet.roster import Roster
from broker.fleet.target import split_target

TOPICS = Topics()
DESIRED = "selvedge/v1/devices/pi-1/config/desired"
FLEET_DESIRED = "selvedge/v1/fleet/config/desired"


def reported_topic(device: str = "pi-1") -> str:
    return f"selvedge/v1/devices/{device}/config/reported"


def status_topic(device: str = "pi-1") -> str:
    return f"selvedge/v1/devices/{device}/status"


def change_of(device="pi-1", **values) -> ConfigChange:
    return ConfigChange(TOPICS, device, [Change((key,), value) for key, value in values.items()])


def report(version, errors=None, **applied) -> bytes:
    return encode(ReportedConfig(version, None, applied, errors or {}))


def hostile_payloads():
    messages = [encode(Status("online", "i")), report(3), b'{"version":1,"a":{"b":[]}}']
    cut = st.tuples(st.sampled_from(messages), st.integers(0, 60)).map(lambda t: t[0][: t[1]])
    deep = st.integers(1, 5000).map(lambda n: b'{"a":' * n)
    json_like = st.recursive(
        st.none() | st.floats() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["version", "applied", "errors", "state"]), inner)
        ),
        max_leaves=8,
    ).map(lambda tree: json.dumps(tree).encode())
    big = st.just(b" " * (MAX_JSON_BYTES + 1)) | st.just(b'{"version":1' + b"0" * 5000 + b"}")
    return st.binary(max_size=80) | cut | deep | json_like | big


def hostile_topics():
    known = [DESIRED, FLEET_DESIRED, reported_topic(), status_topic(), reported_topic("x")]
    return st.sampled_from(known) | st.text(max_size=40) | st.text(max_size=9).map(status_topic)


@given(st.lists(st.tuples(hostile_topics(), hostile_payloads()), max_size=8))
def test_nothing_that_comes_from_the_broker_makes_a_command_crash(messages):
    roster = Roster(TOPICS)
    for device in ("pi-1", None):
        change, view = change_of(device, a=1), ConfigView(TOPICS, device)
        for topic, payload in messages:
            roster.receive(topic, payload)
            view.receive(topic, payload)
            change.receive(topic, payload)
        try:
            change.publication()
            for topic, payload in messages:
                change.receive(topic, payload)
            view.check_known()
        except BrokerError as error:
            refusal = str(error)
        else:
            refusal = ""
        assert refusal.isprintable()
        lines = f"{view.text()}\n{roster.text(0)}"
        assert lines.replace("\n", "").isprintable()
        json.dumps([view.tree(), roster.tree(), list(change.awaited)])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_document_or_a_contract_error(payload):
    try:
        document = read_document(payload)
    except MessageError:
        return
    assert isinstance(document, dict)


def test_table_of_devices():
    roster = Roster(TOPICS)
    pipelines = {"digits": PipelineStatus("running"), "faces": PipelineStatus("failed")}
    now = 1_700_000_000_000
    online = Status(
        "online", "i", "0.1.0", now - 90_000, True, None, ("tflite",), pipelines=pipelines
    )
    roster.receive(status_topic("pi-1"), encode(online))
    roster.receive(status_topic("pi-2"), encode(Status("offline", "i", time_synced=False)))
    roster.receive(status_topic("pi-3"), b"\xff")
    roster.receive(status_topic("pi-4"), encode(Status("offline", "i")))
    roster.receive(status_topic("pi-4"), b"")
    head, first, second, third = roster.text(now).splitlines()
    assert head.split("  ")[0] == "DEVICE"
    assert " ".join(first.split()) == "pi-1 online 0.1.0 digits, faces (failed) tflite 1 min ago"
    assert second.split() == ["pi-2", "offline", "unknown"]
    assert third.startswith("pi-3    unreadable")
    assert set(roster.tree()) == {"pi-1", "pi-2", "pi-3"}


def test_escape_sequences_do_not_reach_the_terminal():
    roster = Roster(TOPICS)
    roster.receive(status_topic(), encode(Status("online", "i", "\x1b[2J\u202e\n")))
    assert "\x1b" not in roster.text(0)
    assert "\u202e" not in roster.text(0)
    assert len(roster.text(0).splitlines()) == 2


def test_view_shows_what_is_desired_but_not_applied():
    view = ConfigView(TOPICS, "pi-1")
    view.receive(DESIRED, b'{"version": 2, "a": {"b": 5, "c": 1}}')
    view.receive(FLEET_DESIRED, b'{"version": 9, "f": 1}')
    applied = {"a": {"b": 4, "c": 1}, "d": True}
    errors = {"a.b": "must be at most 4"}
    view.receive(reported_topic(), encode(ReportedConfig(1, 9, applied, errors)))
    text = view.text()
    assert "device version 1 of 2, fleet version 9 of 9" in text
    assert "a.b = 4   (desired: 5)" in text
    assert "  a.c = 1\n" in text
    assert "f = -   (desired: 1)" in text
    assert "refused: a.b: must be at most 4" in text
    assert view.tree(("a", "b"))["reported"]["applied"] == 4
    with pytest.raises(ConfigError, match="no key"):
        view.tree(("nothing",))


def test_unknown_device_is_refused():
    with pytest.raises(LinkError, match="knows no device"):
        ConfigView(TOPICS, "pi-9").check_known()


@pytest.mark.parametrize("word", ["+", "#", "pi/1", "Pi", "", "a" * 65, "$SYS", "pi 1", "é"])
def test_target_that_is_no_device(word):
    with pytest.raises(UsageError):
        split_target([word], fleet=False)


def test_target():
    assert split_target(["pi-1", "a=1"], fleet=False) == ("pi-1", ["a=1"])
    assert split_target(["a=1"], fleet=True) == (None, ["a=1"])
    with pytest.raises(UsageError):
        split_target([], fleet=False)
