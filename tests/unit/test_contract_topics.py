"""Topics: three verbs that agree with each other, and refuse everything else."""

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from broker.contract.channel import NAME, Channel
from broker.contract.errors import TopicError
from broker.contract.topics import CHANNELS, DEFAULT_PREFIX, PREFIX, Topics, is_name

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/topics.json").read_text())
KINDS = {kind.__name__: kind for kind in CHANNELS}
NAMES = st.from_regex(NAME, fullmatch=True)
TOPICS = Topics()


@st.composite
def channels(draw: st.DrawFn) -> Channel:
    kind = draw(st.sampled_from(CHANNELS))
    levels = {int: st.integers(0, 10**9 - 1), str: NAMES}
    return kind(**{field.name: draw(levels[field.type]) for field in dataclasses.fields(kind)})


def test_every_channel_has_a_vector():
    assert {vector["channel"] for vector in VECTORS["topics"]} == set(KINDS)


@pytest.mark.parametrize("vector", VECTORS["topics"], ids=lambda vector: vector["topic"])
def test_topic_and_channel_have_exactly_these_names(vector):
    topics = Topics(vector.get("prefix", DEFAULT_PREFIX))
    channel = KINDS[vector["channel"]](**vector["levels"])
    assert topics.topic(channel) == vector["topic"]
    assert topics.channel(vector["topic"]) == channel
    assert topics.filter(type(channel)) == vector["filter"]
    assert (channel.retained, list(channel.writers)) == (vector["retained"], vector["writers"])


@pytest.mark.parametrize("vector", VECTORS["rejected_topics"], ids=lambda vector: vector["why"])
def test_a_topic_outside_the_contract_is_refused(vector):
    with pytest.raises(TopicError) as refusal:
        TOPICS.channel(vector["topic"])
    assert str(refusal.value) == vector["error"]


@pytest.mark.parametrize("vector", VECTORS["rejected_names"], ids=lambda vector: vector["why"])
def test_a_name_that_would_break_a_topic_is_refused(vector):
    name = vector["name"]
    assert not is_name(name)
    with pytest.raises(TopicError) as refusal:
        TOPICS.topic(KINDS["StatusChannel"](device=name))
    assert str(refusal.value) == vector["error"]
    if name != "+":
        with pytest.raises(TopicError):
            TOPICS.filter(KINDS["StatusChannel"], device=name)


@pytest.mark.parametrize("number", VECTORS["rejected_numbers"])
def test_a_level_that_must_be_a_number_takes_nothing_else(number):
    with pytest.raises(TopicError, match=r"round .* is refused: use a number below"):
        TOPICS.topic(KINDS["AckChannel"]("job", number, "pi"))
    with pytest.raises(TopicError, match=r"round .* is refused in a filter"):
        TOPICS.filter(KINDS["AckChannel"], round=number)


@pytest.mark.parametrize("prefix", VECTORS["rejected_prefixes"])
def test_a_prefix_that_is_no_name_is_refused(prefix):
    with pytest.raises(TopicError, match="prefix"):
        Topics(prefix)


@given(channels(), st.from_regex(PREFIX, fullmatch=True))
def test_topic_and_channel_are_inverse(channel, prefix):
    topics = Topics(prefix)
    assert topics.channel(topics.topic(channel)) == channel


@given(channels(), st.data())
def test_a_filter_matches_its_own_topics_and_no_other(channel, data):
    fields = {field.name: getattr(channel, field.name) for field in dataclasses.fields(channel)}
    fixed = data.draw(st.sets(st.sampled_from(sorted(fields)))) if fields else set()
    levels = {name: fields[name] for name in fixed}
    topic = TOPICS.topic(channel)
    assert topic_matches_sub(TOPICS.filter(type(channel), **levels), topic)
    for other in CHANNELS:
        if other is not type(channel):
            assert not topic_matches_sub(TOPICS.filter(other), topic)


def test_a_level_that_a_channel_lacks_is_no_silent_wildcard():
    with pytest.raises(TopicError, match="devcie"):
        TOPICS.filter(KINDS["StatusChannel"], devcie="pi")


@given(st.text() | st.text("abc/+#$-_09").map(lambda tail: f"{DEFAULT_PREFIX}/devices/{tail}"))
def test_any_topic_has_a_channel_that_leads_back_or_is_refused(topic):
    refusal = ""
    try:
        assert TOPICS.topic(TOPICS.channel(topic)) == topic
    except TopicError as error:
        refusal = str(error)
    assert len(refusal) < 200
    assert "\n" not in refusal


@given(st.text())
def test_a_name_holds_nothing_that_mqtt_or_a_path_gives_a_meaning(text):
    if is_name(text):
        assert not set(text) & set("+#/$.\0\n ")
        assert 1 <= len(text) <= 64
        assert text.isascii()
