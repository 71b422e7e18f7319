"""The access list says what the contract's table says, and nothing opens it further."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.contract.topics import CHANNELS, Topics, is_name
from broker.errors import UsageError
from broker.init.access import (
    access_list,
    check_name,
    check_readable,
    device_rights,
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
        ("write", "selvedge/v1/devices/%u/cmd/+/+"),
        ("read", "selvedge/v1/devices/%u/cmd/+/+"),
        ("read", "selvedge/v1/devices/%u/config/desired"),
        ("read", "selvedge/v1/fleet/config/desired"),
    }


def test_every_channel_is_covered():
    assert len({topic for _, topic in device_rights(TOPICS)}) == len(CHANNELS)


def test_operators_stand_in_the_list_and_devices_cannot_take_their_names():
    text = access_list(TOPICS, ["ann", "bob"], ["sensors/#"])
    assert text.count("topic read selvedge/v1/#") == 2
    assert "user operator:ann\n" in text
    assert "pattern read sensors/#\n" in text
    assert not is_name(operator_user("ann"))


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
