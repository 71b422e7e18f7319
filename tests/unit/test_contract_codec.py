"""The codec: what comes out of it is plain, bounded JSON; everything else is one refusal."""

import json
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker.contract.codec import MAX_DEPTH, MAX_JSON_BYTES, decode_json, encode_json
from broker.contract.errors import MessageError
from tests.support.shapes import JSON


@pytest.mark.parametrize(
    ("payload", "refusal"),
    [
        (b"", "payload is not JSON"),
        (b"\xff\xfe{}", "payload is not UTF-8: byte 0"),
        (b'{"a":"\xc3("}', "payload is not UTF-8: byte 6"),
        (b"\xef\xbb\xbf{}", "payload is not JSON"),
        (b"{", "payload is not JSON"),
        (b"{} {}", "payload is not JSON"),
        (b"{'a':1}", "payload is not JSON"),
        (b"NaN", "NaN is not a JSON number"),
        (b"[-Infinity]", "-Infinity is not a JSON number"),
        (b'{"a":1e999}', "1e999 is too large"),
        (b'{"a":-1e999}', "-1e999 is too large"),
        (b"1" * 21, "has more than 20 digits"),
        (b"-" + b"9" * 5000, "has more than 20 digits"),
        (b'{"a":1,"a":2}', "a key is given twice"),
        (b'{"a":{"b":1,"b":1}}', "a key is given twice"),
        (b'"\\ud800"', "half of a surrogate pair"),
        (b'{"\\udfff":1}', "half of a surrogate pair"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "nested too deeply"),
        (b'{"a":' * 80 + b"1" + b"}" * 80, "nested too deeply"),
        (b"[" * 100_000, "nested too deeply"),
        (b'"' + b"a" * MAX_JSON_BYTES + b'"', "exceeds the limit"),
    ],
    ids=lambda value: value[:24] if isinstance(value, bytes) else None,
)
def test_what_is_not_plain_json_is_refused_in_one_line(payload, refusal):
    with pytest.raises(MessageError) as error:
        decode_json(payload)
    assert refusal in str(error.value)
    assert len(str(error.value)) < 200
    assert "\n" not in str(error.value)


def test_the_limits_themselves_are_allowed():
    longest = b'"' + b"a" * (MAX_JSON_BYTES - 2) + b'"'
    assert len(decode_json(longest)) == MAX_JSON_BYTES - 2
    deepest = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert encode_json(decode_json(deepest)) == deepest
    assert decode_json(b"18446744073709551615") == 2**64 - 1
    assert decode_json(b"-9223372036854775808") == -(2**63)
    assert decode_json(b'"\\ud83d\\ude00"') == "\N{GRINNING FACE}"


def test_a_smaller_limit_holds():
    with pytest.raises(MessageError, match="5 bytes exceeds the limit of 4"):
        decode_json(b"12345", limit=4)


@given(JSON)
def test_json_survives_the_round_trip(tree):
    payload = encode_json(tree)
    assert decode_json(payload) == tree
    assert payload.isascii()
    assert json.loads(payload) == tree


@given(
    st.binary() | st.text().map(str.encode) | st.text('[]{}",:0123456789.eE-+\\un ').map(str.encode)
)
@example(b'{"":{"":[1e308,-0.0]}}')
def test_any_bytes_decode_or_are_refused(payload):
    refusal = None
    try:
        tree = decode_json(payload)
    except MessageError as error:
        refusal = str(error)
    assert "\n" not in refusal if refusal else decode_json(encode_json(tree)) == tree


@given(JSON.map(encode_json), st.data())
def test_a_flipped_or_missing_byte_decodes_or_is_refused(payload, data):
    at = data.draw(st.integers(0, len(payload) - 1))
    new = data.draw(st.binary(max_size=1))
    with suppress(MessageError):
        decode_json(payload[:at] + new + payload[at + 1 :])


def deep(levels: int) -> list:
    tree: list = []
    for _ in range(levels):
        tree = [tree]
    return tree


@pytest.mark.parametrize(
    "tree",
    [float("nan"), float("inf"), {"a": {1, 2}}, b"bytes", object(), deep(100_000)],
    ids=["nan", "infinity", "set", "bytes", "object", "deep"],
)
def test_what_json_cannot_hold_is_not_sent(tree):
    with pytest.raises(MessageError, match="cannot encode"):
        encode_json(tree)


def test_a_tree_that_holds_itself_is_not_sent():
    tree: list = []
    tree.append(tree)
    with pytest.raises(MessageError, match="cannot encode"):
        encode_json(tree)
