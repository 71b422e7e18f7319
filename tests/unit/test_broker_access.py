"""The access list says what the contract's table says, and nothing opens it further."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.contract.federated.channels import JobFileChannel
from broker.contract.topics import CHANNELS, Topics, is_name
from broker.errors import UsageError
from broker.init.access import (
    access_list,
    aggregator_rights,
    aggregator_user,
    check_discovery,
    check_name,
    check_readable,
    device_rights,
    operator_rights,
    operator_user,
)

TOPICS = Topics()


def matches(text: str, topic: str) -> bool:
    """MQTT 3.1.1, section 4.7, as a second opinion."""
    filter_levels, levels = text.split("/"), topic.split("/")
    if filter_levels[-1] == "#":
        levels = levels[: len(filter_levels) - 1]
        filter_levels = filter_levels[:-1]
    return len(filter_levels) == len(levels) and all(
        mine in ("+", theirs) for mine, theirs in zip(filter_levels, levels, strict=True)
    )


def taken(check, text: str, *more: object) -> bool:
    """Whether `check` returns the text as it is; a refusal has to be one printable line."""
    try:
        returned = check(text, *more)
    except UsageError as refusal:
        line = str(refusal)
    else:
        line = ""
    assert line.isprintable()
    return not line and returned == text


def test_rights_of_devices_are_the_contracts_table():
    assert set(device_rights(TOPICS)) == {
        ("write", "selvedge/v1/devices/%u/status"),
        ("write", "selvedge/v1/devices/%u/config/reported"),
        ("write", "selvedge/v1/devices/%u/config/schema"),
        ("write", "selvedge/v1/devices/%u/results/+"),
        ("write", "selvedge/v1/devices/%u/metrics"),
        ("write", "selvedge/v1/devices/%u/mcus/+/status"),
        ("write", "selvedge/v1/devices/%u/cmd/+/+"),
        ("read", "selvedge/v1/devices/%u/status"),
        ("read", "selvedge/v1/devices/%u/config/reported"),
        ("read", "selvedge/v1/devices/%u/config/schema"),
        ("read", "selvedge/v1/devices/%u/mcus/+/status"),
        ("read", "selvedge/v1/devices/%u/cmd/+/+"),
        ("read", "selvedge/v1/devices/%u/config/desired"),
        ("read", "selvedge/v1/fleet/config/desired"),
        ("read", "selvedge/v1/blobs/+/+/+"),
        ("read", "selvedge/v1/fl/+/spec"),
        ("read", "selvedge/v1/fl/+/control"),
        ("read", "selvedge/v1/fl/+/status"),
        ("read", "selvedge/v1/fl/+/round"),
        ("write", "selvedge/v1/fl/+/+/up/+/%u/+"),
        ("read", "selvedge/v1/fl/+/+/ack/%u"),
        ("read", "selvedge/v1/fl/+/+/missing/%u"),
        ("write", "selvedge/v1/fl/+/+/eval/%u"),
        ("read", "selvedge/v1/fl/+/outcome"),
    }


def test_an_aggregator_writes_its_part_of_a_job_and_no_devices():
    written = {topic for access, topic in aggregator_rights(TOPICS) if access == "write"}
    assert written == {
        "selvedge/v1/blobs/+/+/+",
        "selvedge/v1/fl/+/spec",
        "selvedge/v1/fl/+/status",
        "selvedge/v1/fl/+/round",
        "selvedge/v1/fl/+/+/ack/+",
        "selvedge/v1/fl/+/+/missing/+",
        "selvedge/v1/fl/+/files/+/+/+",
        "selvedge/v1/fl/+/outcome",
    }


def test_an_operator_starts_and_stops_jobs_but_writes_no_round():
    written = {topic for access, topic in operator_rights(TOPICS) if access == "write"}
    assert {topic for topic in written if "/fl/" in topic or "/blobs/" in topic} == {
        "selvedge/v1/blobs/+/+/+",
        "selvedge/v1/fl/+/spec",
        "selvedge/v1/fl/+/control",
        "selvedge/v1/fl/+/files/+/+/+",
    }


def test_every_channel_is_covered():
    secret = [kind for kind in CHANNELS if kind.secret]
    assert len({topic for _, topic in device_rights(TOPICS)}) == len(CHANNELS) - len(secret)


def test_a_device_reads_no_file_that_is_for_the_aggregator():
    topic = TOPICS.topic(JobFileChannel("job", "ab" * 32, 0, 3))
    rights = [(access, text) for access, text in device_rights(TOPICS) if matches(text, topic)]
    assert not rights
    assert any(matches(text, topic) for _, text in aggregator_rights(TOPICS))


def test_operators_and_aggregators_stand_in_the_list_and_devices_cannot_take_their_names():
    text = access_list(TOPICS, ["ann", "bob"], ["hub"], readable=["sensors/#"])
    assert text.count("topic read selvedge/v1/#") == 2
    assert "user operator:ann\n" in text
    assert "user aggregator:hub\n" in text
    assert "pattern read sensors/#\n" in text
    assert not is_name(operator_user("ann"))
    assert not is_name(aggregator_user("hub"))


def test_only_where_it_is_wanted_may_devices_announce_themselves_to_home_assistant():
    assert "homeassistant" not in access_list(TOPICS, ["ann"])
    text = access_list(TOPICS, ["ann"], ["hub"], home_assistant="homeassistant")
    lines = [line for line in text.splitlines() if "homeassistant" in line]
    assert lines == [
        "pattern write homeassistant/device/%u/+/config",
        "topic read homeassistant/#",
    ]
    assert text.index("user operator:ann") < text.index(lines[1]) < text.index("user aggregator:")


@pytest.mark.parametrize("prefix", ["", "homeassistant", "home/ha", "selvedge/v2", "selvedge"])
def test_taken_prefixes_of_discovery(prefix):
    assert check_discovery(prefix, TOPICS) == prefix


@pytest.mark.parametrize(
    "prefix", ["selvedge/v1", "selvedge/v1/fl/x", "+", "a/#", "%u", "a\nb", "/"]
)
def test_refused_prefixes_of_discovery(prefix):
    with pytest.raises(UsageError):
        check_discovery(prefix, TOPICS)


@given(st.text(max_size=80))
def test_a_name_that_is_taken_cannot_break_out_of_its_line(name):
    assert taken(check_name, name, "device") == is_name(name)


@given(st.lists(st.sampled_from(["a", "+", "#", "selvedge", "v1", "", "x y", "$SYS", "%u", "a+"])))
def test_readable_filters_never_reach_into_the_contract(levels):
    text = "/".join(levels)
    if not taken(check_readable, text, TOPICS):
        return
    for inside in ("selvedge/v1/devices/pi-2/status", "selvedge/v1/fleet", "selvedge/v1"):
        assert not matches(text, inside)
    assert "\n" not in text


@given(st.text(max_size=60))
def test_any_text_as_filter_is_taken_or_refused_in_one_line(text):
    if taken(check_readable, text, TOPICS):
        assert text.isprintable()


REACHING_IN = ["#", "+/#", "+/v1/#", "selvedge/#", "selvedge/v1/devices/pi-2/status", "$SYS/#"]
NO_FILTERS = ["", "a/#/b", "a#", "a+/b", "devices/%u/x", "a\nuser operator:ann", " a", "x" * 600]


@pytest.mark.parametrize("text", REACHING_IN + NO_FILTERS)
def test_refused_filters(text):
    with pytest.raises(UsageError):
        check_readable(text, TOPICS)


@pytest.mark.parametrize("text", ["sensors/#", "+/temperature", "home/+/t", "selvedge/v2/#", "v1"])
def test_taken_filters(text):
    assert check_readable(text, TOPICS) == text
