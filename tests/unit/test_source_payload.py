import json

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from agent.config.sources import MqttSource as Config
from agent.sources.adapters.inbox import Inbox
from agent.sources.adapters.mqtt import MqttSource
from agent.sources.payload import MAX_PAYLOAD_BYTES, decode_json_payload, decode_raw_payload

FLOATS = st.floats(-(2.0**99), 2.0**99, width=32)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
)


@given(st.lists(FLOATS, min_size=1))
def test_a_list_or_a_number_without_paths(values):
    assert (decode_json_payload(json.dumps(values).encode()) == np.array(values, "f4")).all()
    assert decode_json_payload(json.dumps(values[0]).encode())[0] == np.float32(values[0])


def test_paths_give_values_in_their_order():
    payload = b'{"accel": {"x": 1, "y": -2.5}, "list": [[3], [4, 5]], "on": true, "a.b": 9}'
    paths = ("accel.y", "list.1.0", "on", "accel.x")
    assert decode_json_payload(payload, paths).tolist() == [-2.5, 4.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("payload", "paths"),
    [
        (b"", ()),
        (b"{}", ()),
        (b"[]", ()),
        (b"[[1]]", ()),
        (b'"1"', ()),
        (b"null", ()),
        (b"NaN", ()),
        (b"[1, Infinity]", ()),
        (b"1e999", ()),
        (b"9" * 4000, ()),
        (b"9" * 5000, ()),
        (b"\xff", ()),
        (b"[" * 100_000, ()),
        (b"[1]" + b" " * MAX_PAYLOAD_BYTES, ()),
        (b'{"a": 1}', ("b",)),
        (b'{"a": {}}', ("a",)),
        (b'{"a": [1]}', ("a.1",)),
        (b'{"a": [1]}', ("a.-1",)),
        (b'{"a": [1]}', ("a.99999999999999999999",)),
        (b'{"a": [1]}', ("a.²",)),
        (b'{"a": "7"}', ("a",)),
    ],
)
def test_json_that_gives_no_numbers_is_refused_in_one_line(payload, paths):
    with pytest.raises(ValueError, match=r".+") as refusal:
        decode_json_payload(payload, paths)
    assert "\n" not in str(refusal.value)


@given(st.sampled_from(["uint8", "int8", "int16", "float32"]), st.binary(max_size=64))
def test_raw_elements_are_little_endian(dtype, payload):
    size = np.dtype(dtype).itemsize
    try:
        values = decode_raw_payload(payload, dtype)
    except ValueError:
        whole = payload and len(payload) % size == 0
        assert not whole or dtype == "float32"
        return
    assert values.tobytes() == payload
    expected = [
        int.from_bytes(payload[at : at + size], "little", signed=dtype != "uint8")
        for at in range(0, len(payload), size)
    ]
    if dtype != "float32":
        assert values.tolist() == expected
    else:
        assert np.isfinite(values).all()


@given(st.lists(st.binary(max_size=40) | JSON.map(lambda tree: json.dumps(tree).encode())))
def test_no_payload_is_fatal_and_each_is_a_sample_or_counted(payloads):
    times = iter(range(10**6))
    inbox = Inbox(lambda: next(times), capacity=1000)
    config = Config("mqtt", "a/b", paths=())
    source = MqttSource(config, inbox)
    for payload in payloads:
        inbox.put(payload)
    samples = [source.read(0) for _ in payloads]
    assert source.read(0) is None
    good = [sample for sample in samples if sample is not None]
    assert source.dropped() == len(payloads) - len(good)
    for number, sample in enumerate(samples):
        if sample is not None:
            assert sample.captured_ns == number
            assert sample.data.dtype == np.float32


@given(st.integers(1, 20), st.integers(0, 60))
def test_the_oldest_make_place_and_are_counted_from_opening_on(capacity, count):
    inbox = Inbox(lambda: 0, capacity)
    for number in range(capacity + 3):
        inbox.put(b"%d" % number)
    while inbox.get(0):
        pass
    source = MqttSource(Config("mqtt", "a/b"), inbox)
    for number in range(count):
        inbox.put(b"%d" % number)
    rows = []
    while (sample := source.read(0)) is not None:
        rows.append(int(sample.data[0]))
    assert rows == list(range(max(0, count - capacity), count))
    assert source.dropped() == max(0, count - capacity)
