"""Commands: each well-formed one is answered exactly once, whatever else is said."""

import json
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agent.channel.messages import Snapshot, TakeSnapshot
from agent.control.commands import KEPT, MAX_SNAPSHOTS, SNAPSHOT_LIMIT_MS
from agent.control.events import End
from broker.contract.codec import MAX_JSON_BYTES
from tests.support.sim import Rig, pipeline

TWO = {"pipelines": {"cam": pipeline(), "off": pipeline(enabled=False)}}


def serving(tree: Any = None) -> Rig:
    rig = Rig(tree or TWO)
    rig.link_up()
    rig.serve()
    return rig


def ask(rig: Rig, op: str, args: Any = None, *, id_: str = "1") -> list[dict[str, Any]]:
    """Send a command and return what was answered."""
    before = len(rig.published)
    rig.receive(f"devices/dev/cmd/{op}/{id_}", {"status": "init", "args": args})
    wanted = f"selvedge/v1/devices/dev/cmd/{op}/{id_}"
    return [json.loads(m.payload) for m in rig.published[before:] if m.topic == wanted]


def test_ping_answers_with_the_time() -> None:
    rig = serving()
    begun, answer = ask(rig, "ping")
    assert begun["status"] == "executing"
    assert answer["status"] == "successful"
    assert answer["result"] == {"time_ms": rig.unix_ms, "monotonic_ms": rig.now_ms}
    assert ask(rig, "ping") == [], "the same one twice is answered once"


@pytest.mark.parametrize(
    ("op", "args", "words"),
    [
        ("reboot", {}, "unknown command reboot; known are ping, restart"),
        ("restart", {"pipeline": "gone"}, "no enabled pipeline 'gone'; there are cam"),
        ("restart", {"pipeline": "off"}, "no enabled pipeline 'off'"),
        ("restart", {"pipeline": []}, "no enabled pipeline []"),
        ("restart", {"pipeline": {"a": []}}, "no enabled pipeline"),
        ("restart", {"pipeline": None}, "no enabled pipeline None"),
        ("set-log-level", {}, "level must be one of debug, info"),
        ("set-log-level", {"level": ["debug"]}, "level must be one of"),
        ("snapshot", {"pipeline": "off"}, "must name a running pipeline: cam"),
        ("snapshot", {"pipeline": {}}, "must name a running pipeline: cam"),
    ],
)
def test_what_cannot_be_done_fails_with_the_reason(op: str, args: Any, words: str) -> None:
    rig = serving()
    answers = ask(rig, op, args)
    assert answers[-1]["status"] == "failed"
    assert words in answers[-1]["reason"]
    assert len(answers[-1]["reason"].splitlines()) == 1
    assert rig.ended is None


@pytest.mark.parametrize(
    "payload",
    [b"\xff", b"nonsense", b"[]", b"{}", b'{"status":"x"}', b'{"status":"init","args":3}'],
)
def test_what_is_no_command_is_told_so_once(payload: bytes) -> None:
    rig = serving()
    rig.receive("devices/dev/cmd/ping/1", payload)
    rig.receive("devices/dev/cmd/ping/1", payload)
    answers = [m for m in rig.published if "/cmd/" in m.topic]
    assert len(answers) == 1
    assert rig.last("cmd/ping/1")["status"] == "failed"


def test_a_pipeline_restarts_in_good_order() -> None:
    rig = serving()
    assert ask(rig, "restart", {"pipeline": "cam"})[-1]["status"] == "successful"
    rig.exit()
    assert rig.alive == {"cam"}


def test_a_disabled_pipeline_is_not_brought_to_life() -> None:
    rig = serving()
    ask(rig, "restart", {"pipeline": "off"})
    assert rig.alive == {"cam"}


def test_a_pipeline_that_was_removed_is_not_brought_back() -> None:
    rig = serving()
    rig.receive("devices/dev/config/desired", {"pipelines": {"cam": None}})
    assert ask(rig, "restart", {"pipeline": "cam"})[-1]["status"] == "failed"
    rig.exit()
    assert rig.alive == set()


def test_a_restart_of_the_agent_is_answered_by_the_next_run() -> None:
    rig = serving()
    (begun,) = ask(rig, "restart")
    assert begun["status"] == "executing"
    rig.exit()
    assert rig.ended == End(again=True)
    after = Rig(TWO, instance="two")
    after.link_up()
    after.receive("devices/dev/cmd/restart/1", begun)
    assert after.last("cmd/restart/1")["status"] == "successful"
    after.receive("devices/dev/cmd/snapshot/2", {"status": "executing", "args": {}})
    assert after.last("cmd/snapshot/2")["reason"] == "the agent was restarted meanwhile"


def test_a_log_level_is_set() -> None:
    rig = serving()
    assert ask(rig, "set-log-level", {"level": "debug"})[-1]["status"] == "successful"
    assert rig.levels[-1] == "debug"


def test_a_snapshot_is_answered_by_its_pipeline() -> None:
    rig = serving()
    (begun,) = ask(rig, "snapshot")
    assert begun["status"] == "executing"
    assert ("cam", TakeSnapshot("take_snapshot", "1")) in rig.told
    rig.say(Snapshot("snapshot", "1", {"input": None}))
    assert rig.last("cmd/snapshot/1")["result"] == {"input": None}
    before = len(rig.published)
    rig.say(Snapshot("snapshot", "1", {"input": 5}))
    rig.say(Snapshot("snapshot", "never asked", {"input": 5}))
    rig.wait(SNAPSHOT_LIMIT_MS)
    assert not [m for m in rig.published[before:] if "/cmd/" in m.topic]


def test_a_snapshot_that_nobody_takes_fails_in_time() -> None:
    rig = serving()
    ask(rig, "snapshot")
    rig.exit()
    rig.wait(SNAPSHOT_LIMIT_MS - 1)
    assert rig.last("cmd/snapshot/1")["status"] == "executing"
    rig.wait(1)
    assert "did not answer within" in rig.last("cmd/snapshot/1")["reason"]


def test_clearing_another_command_of_the_same_id_does_not_lose_a_snapshot() -> None:
    rig = serving()
    ask(rig, "ping")
    ask(rig, "snapshot")
    rig.receive("devices/dev/cmd/ping/1", b"")
    rig.say(Snapshot("snapshot", "1", {"input": None}))
    assert rig.last("cmd/snapshot/1")["status"] == "successful"


def test_a_snapshot_in_progress_survives_a_flood_of_other_commands_and_a_reconnect() -> None:
    rig = serving()
    (begun,) = ask(rig, "snapshot")
    for i in range(KEPT + 1):
        ask(rig, "ping", id_=f"n{i}")
    rig.link_down()
    rig.link_up()
    rig.receive("devices/dev/cmd/snapshot/1", begun)  # retained, so it comes again
    assert rig.last("cmd/snapshot/1")["status"] == "executing"
    rig.say(Snapshot("snapshot", "1", {"input": None}))
    assert rig.last("cmd/snapshot/1")["status"] == "successful"


def test_too_many_snapshots_at_once_are_refused() -> None:
    rig = serving()
    for i in range(MAX_SNAPSHOTS):
        assert ask(rig, "snapshot", id_=f"n{i}")[-1]["status"] == "executing"
    assert "ask again later" in ask(rig, "snapshot", id_="over")[-1]["reason"]


def test_a_snapshot_too_large_for_the_contract_fails() -> None:
    rig = serving()
    ask(rig, "snapshot")
    rig.say(Snapshot("snapshot", "1", {"input": "a" * MAX_JSON_BYTES}))
    assert "exceeds" in rig.last("cmd/snapshot/1")["reason"]


class CommandsInDisorder(RuleBasedStateMachine):
    """Commands, their echoes, their clearing and reconnects; each `init` gets one last word."""

    @initialize()
    def begin(self) -> None:
        self.rig = serving({"pipelines": {"cam": pipeline()}})
        self.retained: dict[str, bytes] = {}
        self.open: dict[str, int] = {}
        self.seen = 0

    topics = st.builds(
        lambda op, id_: f"devices/dev/cmd/{op}/{id_}",
        st.sampled_from(["ping", "snapshot", "set-log-level", "nonsense"]),
        st.sampled_from("ab"),
    )

    @rule(topic=topics, args=st.sampled_from([None, {}, {"level": "info"}, {"pipeline": "x"}]))
    def ask(self, topic: str, args: Any) -> None:
        if topic not in self.open:
            self.open[topic] = 0
            self.rig.receive(topic, {"status": "init", "args": args})

    @rule(topic=topics)
    def clear(self, topic: str) -> None:
        if self.open.get(topic) == 1:
            del self.open[topic]
            self.retained.pop(topic, None)
            self.rig.receive(topic, b"")

    @rule()
    def reconnect(self) -> None:
        self.rig.link_down()
        self.rig.link_up()
        for topic, payload in self.retained.items():
            self.rig.receive(topic, payload)

    @rule(id_=st.sampled_from("abc"))
    def snapshot_taken(self, id_: str) -> None:
        self.rig.say(Snapshot("snapshot", id_, {}))

    @rule(ms=st.sampled_from([10, 5000, SNAPSHOT_LIMIT_MS]))
    def wait(self, ms: int) -> None:
        self.rig.wait(ms)

    @invariant()
    def nothing_is_answered_twice(self) -> None:
        for message in self.rig.published[self.seen :]:
            if "/cmd/" in message.topic:
                topic = message.topic.removeprefix("selvedge/v1/")
                self.retained[topic] = message.payload
                if json.loads(message.payload)["status"] in ("successful", "failed"):
                    self.open[topic] += 1
                    assert self.open[topic] == 1, topic
        self.seen = len(self.rig.published)

    def teardown(self) -> None:
        self.rig.wait(SNAPSHOT_LIMIT_MS)
        self.nothing_is_answered_twice()
        assert all(count == 1 for count in self.open.values()), self.open


TestCommandsInDisorder = CommandsInDisorder.TestCase
TestCommandsInDisorder.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
