"""Messages: exact bytes, round trips, and refusals that are always `MessageError`."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.contract.codec import encode_json
from broker.contract.errors import MessageError
from broker.contract.messages import MESSAGES, decode, encode
from broker.contract.shape import parse
from tests.support.shapes import JSON, near_trees, trees

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/messages.json").read_text())
KINDS = {kind.__name__: kind for kind in MESSAGES.values()}


def test_every_message_has_a_vector():
    assert {vector["message"] for vector in VECTORS["messages"]} == set(KINDS)


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: vector["why"])
def test_a_message_is_exactly_these_bytes(vector):
    kind, payload = KINDS[vector["message"]], vector["payload"].encode()
    message = parse(kind, vector["value"])
    assert isinstance(message, kind), message
    assert encode(message) == payload
    assert decode(kind, payload) == message


@pytest.mark.parametrize("vector", VECTORS["lenient"], ids=lambda vector: vector["why"])
def test_a_newer_or_looser_peer_is_understood(vector):
    kind = KINDS[vector["message"]]
    assert encode(decode(kind, vector["payload"].encode())) == vector["same_as"].encode()


@pytest.mark.parametrize("vector", VECTORS["rejected"], ids=lambda vector: vector["why"])
def test_a_message_that_breaks_the_contract_is_refused(vector):
    with pytest.raises(MessageError) as refusal:
        decode(KINDS[vector["message"]], vector["payload"].encode())
    assert str(refusal.value) == vector["error"]


@pytest.mark.parametrize("kind", KINDS.values())
@given(st.data())
@settings(max_examples=50)
def test_any_valid_message_survives_the_round_trip(kind, data):
    message = parse(kind, data.draw(trees(kind)))
    assert decode(kind, encode(message)) == message


@pytest.mark.parametrize("kind", KINDS.values())
@given(st.data())
@settings(max_examples=60)
def test_any_json_decodes_or_is_refused(kind, data):
    payload = encode_json(data.draw(near_trees(kind) | JSON))
    refusal = ""
    try:
        assert isinstance(decode(kind, payload), kind)
    except MessageError as error:
        refusal = str(error)
    assert refusal.startswith(f"{kind.__name__} refused: ") or not refusal
    assert len(refusal) < 1000
    assert "\n" not in refusal


@pytest.mark.parametrize("kind", KINDS.values())
@given(st.binary().filter(lambda payload: payload != b"{}"))
@settings(max_examples=50)
def test_any_bytes_are_refused_with_the_one_error(kind, payload):
    with pytest.raises(MessageError):
        decode(kind, payload)
