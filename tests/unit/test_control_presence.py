"""Whether the status that the broker holds is ours, and whether somebody else uses our name."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.control.presence import MAX_STRANGERS, SIGHTINGS, WINDOW_MS, Presence


def status(state: str, instance: str) -> bytes:
    return json.dumps({"state": state, "instance": instance}).encode()


@pytest.mark.parametrize(
    ("payload", "verdict"),
    [
        (status("online", "me"), "ours"),
        (status("offline", "me"), "stale"),
        (status("stopped", "me"), "stale"),
        (status("online", "other"), "stale"),
        (status("offline", "other"), "stale"),
        (b"", "stale"),
        (b"\xff", "stale"),
        (b"{}", "stale"),
    ],
)
def test_what_hides_our_state_is_stale(payload: bytes, verdict: str) -> None:
    it = Presence("me")
    it.connected()
    assert it.saw(payload, 0) == verdict
    assert not it.lost


@given(st.text(min_size=1, max_size=9), st.text(min_size=1, max_size=9))
def test_of_two_agents_that_push_each_other_out_exactly_one_gives_way(a: str, b: str) -> None:
    two = {a: Presence(a), b: Presence(b)}
    now_ms, rivals = 0, []
    for _ in range(2 * SIGHTINGS + 4):
        for me, other in ((a, b), (b, a)):
            now_ms += 1000
            two[me].connected()
            if two[me].saw(status("offline", other), now_ms) == "rival":
                rivals.append(me)
    assert set(rivals) == (set() if a == b else {min(a, b)})
    assert [name for name, it in two.items() if it.lost] == list(dict.fromkeys(rivals))


def test_strangers_seen_long_ago_do_not_count() -> None:
    it = Presence("a")
    for day in range(20):
        it.connected()
        assert it.saw(status("offline", "b"), day * WINDOW_MS) == "stale"


def test_one_stranger_repeating_itself_on_one_connection_is_seen_once() -> None:
    it = Presence("a")
    it.connected()
    it.connected()
    assert {it.saw(status("online", "b"), now_ms) for now_ms in range(100)} == {"stale"}


def test_memory_is_bounded_whoever_writes_to_our_topic() -> None:
    it = Presence("a")
    it.connected()
    it.connected()
    for i in range(1000):
        it.saw(status("online", f"b{i}"), i)
    assert len(it._seen_now) <= MAX_STRANGERS
    assert len(it._sightings) == 1
