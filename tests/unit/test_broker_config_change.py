"""A change of configuration, step by step, without a broker."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.contract.codec import MAX_JSON_BYTES
from broker.contract.messages import ReportedConfig, Status, encode
from broker.contract.topics import Topics
from broker.errors import ConfigError
from broker.fleet.config_change import ConfigChange
from broker.fleet.document import (
    Change,
)

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


def test_first_document_gets_version_1_and_waits_for_the_report():
    change = change_of(a=1)
    published = change.publication()
    assert json.loads(published) == {"a": 1, "version": 1}
    assert not change.answered
    assert change.receive(DESIRED, published) is None
    assert change.awaited == {"pi-1"}
    change.receive(reported_topic(), report(0))
    assert not change.answered
    change.receive(reported_topic(), report(1, a=1))
    assert change.answered
    assert change.answers["pi-1"].applied == {"a": 1}


def test_report_alone_is_no_answer_before_the_broker_has_taken_the_document():
    change = change_of(a=1)
    published = change.publication()
    change.receive(reported_topic(), report(9))
    assert not change.answered
    change.receive(DESIRED, published)
    assert change.answered


def test_version_rises_above_the_document_and_above_what_was_reported():
    change = change_of(a=1)
    change.receive(DESIRED, b'{"b": 2, "version": 4}')
    change.receive(reported_topic(), report(11))
    assert json.loads(change.publication()) == {"a": 1, "b": 2, "version": 12}


def test_document_that_ours_would_hide_is_kept_and_the_change_made_again():
    change = change_of(a=1)
    change.receive(DESIRED, b'{"version": 1}')
    first = change.publication()
    change.receive(DESIRED, b'{"c": 3, "version": 2}')
    assert change.overtaken
    change.receive(DESIRED, first)
    assert change.overtaken
    again = change.publication()
    assert json.loads(again) == {"a": 1, "c": 3, "version": 3}
    change.receive(DESIRED, again)
    assert change.in_place
    change.receive(reported_topic(), report(3))
    assert change.answered


@pytest.mark.parametrize(
    ("later", "overtaken"),
    [
        (b'{"a": 1, "b": 2, "version": 5}', False),
        (b'{"a": 2, "version": 5}', True),
        (b'{"a": true, "version": 5}', True),
        (b'{"version": 5}', True),
        (b"", True),
        (b"\xff", True),
    ],
)
def test_later_document_without_the_change_overtakes_it(later, overtaken):
    change = change_of(a=1)
    change.receive(DESIRED, change.publication())
    change.receive(DESIRED, later)
    assert change.overtaken == overtaken
    if not overtaken:
        change.receive(reported_topic(), report(1))
        assert not change.answered
        change.receive(reported_topic(), report(5))
        assert change.answered


@given(st.integers(2, 3), st.randoms(use_true_random=False))
def test_operators_at_once_lose_nothing_whatever_the_order(count, random):
    """All publish over the same document; the broker's order is what all then see."""
    operators = [change_of(**{f"key-{n}": n}) for n in range(count)]
    queue = [operator.publication() for operator in operators]
    random.shuffle(queue)
    retained = b""
    while queue:
        retained = queue.pop(0)
        for operator in operators:
            operator.receive(DESIRED, retained)
        late = [operator for operator in operators if operator.overtaken]
        if not queue and late:
            queue.append(random.choice(late).publication())
    document = json.loads(retained)
    assert {key: document[key] for key in document if key != "version"} == {
        f"key-{n}": n for n in range(count)
    }


def test_errors_of_changed_keys_are_told_from_others():
    change = ConfigChange(TOPICS, "pi-1", [Change(("a", "b"), 1)])
    change.publication()
    reported = ReportedConfig(1, None, {}, {"a.b.c": "no", "a": "no", "z": "old", "a.x": "old"})
    assert set(change.refused(reported)) == {"a.b.c", "a"}
    broken = ReportedConfig(1, None, {}, {"device document": "no"})
    assert change.refused(broken)


def test_fleet_change_waits_for_devices_that_are_online():
    change = change_of(device=None, a=1)
    for device, state in (("pi-1", "online"), ("pi-2", "offline"), ("pi-3", "online")):
        change.receive(status_topic(device), encode(Status(state, "i")))
    change.receive(FLEET_DESIRED, change.publication())
    assert change.awaited == {"pi-1", "pi-3"}
    for device in ("pi-1", "pi-3"):
        change.receive(reported_topic(device), encode(ReportedConfig(fleet_version=1)))
    assert change.answered
    assert set(change.answers) == {"pi-1", "pi-3"}


@pytest.mark.parametrize("retained", [b"\xff\xfe", b"{", b"[1]", b"7", b'{"a":1,"a":2}'])
def test_document_that_is_none_is_refused_unless_reset(retained):
    change = change_of(a=1)
    change.receive(DESIRED, retained)
    with pytest.raises(ConfigError, match="--reset"):
        change.publication()
    assert json.loads(change.publication(reset=True)) == {"a": 1, "version": 1}


def test_document_beyond_the_bound_is_refused():
    with pytest.raises(ConfigError, match=str(MAX_JSON_BYTES)):
        change_of(a="x" * MAX_JSON_BYTES).publication()
