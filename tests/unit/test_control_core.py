"""The agent's core under events of any kind, in any order."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.channel.messages import Answer, Mcu, Mcus, Progress, Ready, Recalled, Refused, Snapshot
from agent.control.commands import KEPT
from agent.control.core import STOP_LIMIT_MS
from agent.control.events import BRIDGE, ChildSaid, Delivered, End, Publish, Received, Tick
from broker.contract.codec import MAX_JSON_BYTES
from broker.contract.messages import MESSAGES, McuMetrics, McuStatus, decode
from broker.contract.topics import DesiredChannel, McuStatusChannel, SchemaChannel, Topics
from tests.support.config_documents import DOCUMENTS
from tests.support.sim import LATENCY, PREFIX, Rig, matches, pipeline

TREE = {
    "broker": {"url": "mqtt://own"},
    "pipelines": {
        "cam": pipeline(deadline_ms=1000, samples={"recent": 2}),
        "door": pipeline(source={"kind": "mqtt", "topic": "house/door"}, deadline_ms=500),
    },
    "mcus": {"m4": {"port": "/dev/ttyACM0"}},
}
OWN = f"{PREFIX}/devices/dev"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**19), 10**19) | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
).map(lambda tree: json.dumps(tree).encode())
COMMANDS = st.fixed_dictionaries(
    {"status": st.sampled_from(["init", "init", "init", "executing", "successful", "failed", "?"])},
    optional={
        "args": st.fixed_dictionaries(
            {},
            optional={
                "pipeline": st.sampled_from(["cam", "door", "gone", None, 5, [], {}, ["cam"]]),
                "sequence": st.sampled_from([0, 1, 2, None, True, -1, "0", []]),
                "label": st.sampled_from(["yes", 3, [0.5], "", None, {}]),
                "level": st.sampled_from(["debug", "loud", None, [], {}]),
            },
        )
        | JSON,
        "reason": st.text(max_size=5),
    },
).map(lambda tree: json.dumps(tree, default=repr).encode())
STATUSES = st.builds(
    lambda state, instance: json.dumps({"state": state, "instance": instance}).encode(),
    st.sampled_from(["online", "offline", "stopped"]),
    st.sampled_from(["one", "zero", "two"]),
)
DESIRED = DOCUMENTS.map(lambda tree: json.dumps(tree).encode())
PAYLOADS = st.one_of(
    st.binary(max_size=40),
    JSON,
    COMMANDS,
    STATUSES,
    DESIRED,
    st.sampled_from([b"", b"\xff\xfe", b"null", b"[" * 99_999, b'{"a":1,"a":2}', b"9" * 9000]),
    st.just(b'{"x":"' + b"a" * (MAX_JSON_BYTES + 1) + b'"}'),
)
OPS = st.sampled_from(
    ["ping", "restart", "snapshot", "set-log-level", "label", "forget", "format-disk"]
)
IDS = st.sampled_from(["a", "b", "c"])
TOPICS = st.one_of(
    st.sampled_from(
        [f"{OWN}/status", f"{OWN}/config/desired", f"{PREFIX}/fleet/config/desired", "house/door"]
    ),
    st.builds(lambda op, id_: f"{OWN}/cmd/{op}/{id_}", OPS, IDS),
    st.sampled_from([f"{OWN}/results/cam", f"{PREFIX}/devices/other/status", "", "a/b", OWN]),
    st.text(max_size=20),
)
NAMES = st.sampled_from(["cam", "door", "gone"])
COUNTS = st.integers(0, 2**53 - 1)


MCU_STATES = st.sampled_from(["connecting", "ready", "quarantined"])


class CoreUnderFire(RuleBasedStateMachine):
    """Anything may happen; the core never raises, and says only what the contract knows."""

    @initialize(seed=st.integers(0, 99))
    def begin(self, seed: int) -> None:
        self.rig = Rig(TREE, seed=seed)
        self.topics = Topics()
        self.seen = 0

    @rule()
    def link_up(self) -> None:
        actions = self.rig.link_up()
        if not self.rig.ended:
            topics = [a.topic for a in actions if isinstance(a, Publish)]
            first = [f"{OWN}/config/schema", f"{OWN}/config/reported", f"{OWN}/status"]
            assert topics[:3] == first
            assert all("/mcus/" in topic for topic in topics[3:])
            for own in (f"{OWN}/status", f"{OWN}/config/desired", f"{OWN}/cmd/x/y"):
                assert any(matches(name, own) for name in self.rig.filters)

    @rule(taken=st.sampled_from([False] * 9 + [True]))
    def link_down(self, taken: bool) -> None:
        self.rig.link_down(taken_over=taken)

    @rule(topic=TOPICS, payload=PAYLOADS)
    def receive(self, topic: str, payload: bytes) -> None:
        self.rig.handle(Received(topic, payload))

    @rule(op=OPS, id_=IDS, payload=COMMANDS)
    def command(self, op: str, id_: str, payload: bytes) -> None:
        self.rig.handle(Received(f"{OWN}/cmd/{op}/{id_}", payload))

    @rule(payload=DESIRED)
    def desire(self, payload: bytes) -> None:
        self.rig.handle(Received(f"{OWN}/config/desired", payload))

    @rule()
    def echo(self) -> None:
        """The broker hands back what it retains of what we are subscribed to."""
        retained = {m.topic: m.payload for m in self.rig.published if m.retain}
        for topic, payload in retained.items():
            if any(matches(name, topic) for name in self.rig.filters):
                self.rig.handle(Received(topic, payload))

    @rule(name=NAMES)
    def ready(self, name: str) -> None:
        self.rig.serve(name)

    @rule(name=NAMES, frames=COUNTS, drops=COUNTS)
    def progress(self, name: str, frames: int, drops: int) -> None:
        self.rig.say(Progress("progress", frames, drops, "open"), name)

    @rule(name=NAMES, at_ns=st.integers(0, 2**63 - 1), size=st.integers(0, 99))
    def answers(self, name: str, at_ns: int, size: int) -> None:
        self.rig.say(Answer("answer", at_ns, {"x": "a" * size}, LATENCY), name)

    @rule(name=NAMES)
    def refuses(self, name: str) -> None:
        self.rig.say(Refused("refused", "no such file"), name)

    @rule(names=st.sets(st.sampled_from(["m4", "new", "x"])), state=MCU_STATES)
    def bridge(self, names: set[str], state: Any) -> None:
        mcu = Mcu(McuStatus(state), McuMetrics(1, 2, 3, 4, 5, 6))
        self.rig.say(Mcus("mcus", dict.fromkeys(names, mcu)), BRIDGE)

    @rule(name=NAMES, id_=IDS)
    def snapshot(self, name: str, id_: str) -> None:
        self.rig.say(Snapshot("snapshot", id_, {"input": None}), name)

    @rule(name=NAMES, id_=IDS, data=st.sampled_from(["AAAA", "A", "?", "", None]))
    def recalled(self, name: str, id_: str, data: str | None) -> None:
        self.rig.say(Recalled("recalled", id_, data, "int8", 0.5, 3), name)

    @precondition(lambda self: self.rig.alive)
    @rule(data=st.data())
    def exit(self, data: st.DataObject) -> None:
        self.rig.exit(data.draw(st.sampled_from(sorted(self.rig.alive))))

    @rule(some=st.booleans())
    def flow(self, some: bool) -> None:
        sent = self.rig.send_out()
        assert not sent or self.rig.linked
        self.rig.acknowledge(sent[::2] if some else sent)
        self.rig.handle(Delivered(10**9))

    @rule(ms=st.integers(0, 20_000))
    def wait(self, ms: int) -> None:
        if not self.rig.ended:
            self.rig.wait(ms)

    @rule(jump_ms=st.integers(-(10**12), 10**12))
    def clock_jumps(self, jump_ms: int) -> None:
        due_ms = self.rig.agent.due_ms()
        self.rig.unix_ms = max(0, self.rig.unix_ms + jump_ms)
        self.rig.handle(Tick())
        assert self.rig.agent.due_ms() >= min(due_ms, self.rig.now_ms)

    @rule(call=st.sampled_from(["append", "delete", "load", "reserve", "expire", "evict", ""]))
    def disk_breaks(self, call: str) -> None:
        self.rig.store.refuse = lambda name: name == call
        self.rig.samples.refuses = call == "append"

    @invariant()
    def it_says_only_what_the_contract_knows_and_only_in_its_own_topics(self) -> None:
        for message in self.rig.published[self.seen :]:
            channel = self.topics.channel(message.topic)
            assert channel.device == "dev"
            assert channel.retained == message.retain
            assert not isinstance(channel, DesiredChannel)
            assert len(message.payload) <= MAX_JSON_BYTES
            if isinstance(channel, McuStatusChannel) and not message.payload:
                continue  # cleared: it is no longer configured
            if not isinstance(channel, SchemaChannel):
                decode(MESSAGES[type(channel)], message.payload)
        self.seen = len(self.rig.published)


TestCoreUnderFire = CoreUnderFire.TestCase
TestCoreUnderFire.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_online_comes_after_schema_and_report_on_every_connection() -> None:
    rig = Rig()
    for count in range(3):
        actions = rig.link_up()
        topics = [action.topic for action in actions if isinstance(action, Publish)]
        assert topics == [f"{OWN}/config/schema", f"{OWN}/config/reported", f"{OWN}/status"]
        assert rig.last("status")["state"] == "online"
        rig.link_down()
        assert len(rig.published) == 3 * (count + 1)


def test_while_the_link_is_down_nothing_is_published_and_results_wait_and_come_late() -> None:
    rig = Rig()
    rig.serve()
    for _ in range(10):
        rig.answer()
        rig.wait(700)
    assert rig.published == []
    assert rig.send_out() == []
    rig.link_up()
    rig.answer()
    rig.acknowledge(rig.send_out())
    results = rig.results()
    assert sorted(r["sequence"] for r in results) == list(range(11))
    assert {r["sequence"] for r in results if r.get("late")} == set(range(9))
    assert all("late" not in r for r in results if r["sequence"] >= 9)  # waited for 0.7 s


def test_a_status_that_is_not_ours_is_said_again_but_never_in_a_loop() -> None:
    rig = Rig()
    rig.link_up()
    will = {"state": "offline", "instance": "one"}
    rig.published.clear()
    for _ in range(100):
        rig.receive("devices/dev/status", will)
    rig.wait(1000)
    assert [m.topic for m in rig.published].count(f"{OWN}/status") == 1
    assert rig.last("status")["state"] == "online"


def test_nothing_is_said_after_the_farewell() -> None:
    rig = Rig()
    rig.link_up()
    rig.serve()
    rig.perform(rig.agent.end(rig.now()))
    rig.say(Progress("progress", 1, 0, "waiting: unplugged"))
    rig.exit()
    assert rig.ended == End()
    assert rig.last("status")["state"] == "stopped"
    rig.receive("devices/dev/status", {"state": "offline", "instance": "one"})
    rig.now_ms += 1000
    assert rig.handle(Tick()) == []
    assert rig.link_up() == []
    assert rig.last("status")["state"] == "stopped"


def test_results_that_come_after_the_farewell_are_kept_for_the_next_run() -> None:
    rig = Rig()
    rig.serve()
    rig.perform(rig.agent.end(rig.now()))
    rig.now_ms += STOP_LIMIT_MS
    rig.handle(Tick())
    assert rig.ended == End()
    rig.answer()
    rig.agent.close(rig.now())
    assert len(rig.store.rows) == 1


def test_a_child_that_does_not_stop_holds_the_end_up_for_a_bounded_time() -> None:
    rig = Rig()
    rig.perform(rig.agent.end(rig.now(), "why"))
    rig.perform(rig.agent.end(rig.now(), "another"))
    rig.wait(STOP_LIMIT_MS - 1)
    assert rig.ended is None
    assert "cam" in rig.killed
    rig.now_ms += 1
    rig.handle(Tick())
    assert rig.ended == End("why")


def test_a_restart_command_does_not_bring_children_back_while_it_leaves() -> None:
    rig = Rig()
    rig.link_up()
    rig.perform(rig.agent.end(rig.now()))
    rig.receive("devices/dev/cmd/restart/x", {"status": "init", "args": {"pipeline": "cam"}})
    assert rig.last("cmd/restart/x")["status"] == "failed"
    rig.exit()
    assert rig.alive == set()
    assert rig.ended == End()


@given(st.binary(max_size=30) | st.just(b"x" * (MAX_JSON_BYTES + 1)))
@settings(max_examples=30)
def test_a_source_is_fed_any_bytes_but_not_more_than_the_channel_takes(payload: bytes) -> None:
    rig = Rig(TREE)
    rig.link_up()
    rig.serve("door")
    rig.handle(Received("house/door", payload))
    fed = [message for name, message in rig.told if name == "door"]
    assert len(fed) == (len(payload) <= MAX_JSON_BYTES)
    rig.wait(30_000)
    assert rig.last("metrics")["rejected"] == (len(payload) > MAX_JSON_BYTES)


def test_subscriptions_follow_the_sources() -> None:
    rig = Rig(TREE)
    assert rig.filters == set()
    rig.link_up()
    assert "house/door" in rig.filters
    fixed = rig.filters - {"house/door"}
    desired = {"pipelines": {"door": {"source": {"topic": "house/gate"}}}}
    rig.receive("devices/dev/config/desired", desired)
    assert rig.filters == fixed | {"house/gate"}
    rig.receive("devices/dev/config/desired", {"pipelines": {"door": None}})
    assert rig.filters == fixed
    rig.receive("devices/dev/config/desired", b"")
    assert rig.filters == fixed | {"house/door"}


def test_a_taken_client_id_ends_the_agent_without_a_farewell() -> None:
    rig = Rig()
    rig.link_up()
    before = len(rig.published)
    rig.link_down(taken_over=True)
    rig.exit()
    assert rig.ended is not None
    assert "another agent uses the device id 'dev'" in str(rig.ended.error)
    assert len(rig.published) == before


def test_a_result_that_no_reader_would_take_is_dropped_counted_and_said_once() -> None:
    rig = Rig()
    rig.link_up()
    rig.serve()
    for _ in range(3):
        rig.answer(x="a" * MAX_JSON_BYTES)
    rig.answer(x="small")
    assert [r["outputs"] for r in map(_payload, rig.send_out())] == [{"x": "small"}]
    assert rig.outbox.dropped == 3
    assert len([log for log in rig.logs if "dropped" in log.text]) == 1


def test_a_disk_that_refuses_sequences_costs_results_and_one_line_not_the_agent() -> None:
    rig = Rig()
    rig.link_up()
    rig.serve()
    rig.store.refuse = lambda _: True
    for _ in range(50):
        rig.answer()
    assert rig.outbox.dropped == 50
    assert len([log for log in rig.logs if log.level == "error"]) == 1
    rig.store.refuse = lambda _: False
    rig.answer()
    assert len(rig.send_out()) == 1


def test_what_the_broker_refuses_is_counted_and_said_once() -> None:
    rig = Rig()
    rig.link_up()
    rig.serve()
    for _ in range(5):
        rig.answer()
        for row in rig.send_out():
            rig.handle(Delivered(row.row_id, refused="Not authorized"))
    assert (rig.outbox.rows, rig.outbox.dropped) == (0, 5)
    said = [log.text for log in rig.logs if log.level == "error"]
    assert said == ["results are dropped: the broker refused them: Not authorized"]


def test_the_wall_clock_changes_nothing_but_stamps() -> None:
    runs = []
    for jump_ms in (0, -(10**12), 10**12):
        rig = Rig(seed=3)
        rig.link_up()
        rig.serve()
        rig.answer()
        rig.unix_ms += jump_ms
        rig.wait(40_000)
        rig.exit()
        rig.wait(40_000)
        rig.receive("devices/dev/cmd/ping/1", {"status": "init"})
        rig.serve()
        rig.answer()
        rig.acknowledge(rig.send_out())
        rig.wait(100)
        runs.append([(m.topic, _without_stamps(json.loads(m.payload))) for m in rig.published])
    assert runs[0] == runs[1] == runs[2]


def test_memory_of_commands_is_bounded() -> None:
    rig = Rig()
    rig.link_up()
    rig.serve()
    for i in range(5 * KEPT):
        rig.receive(f"devices/dev/cmd/ping/n{i}", {"status": "init"})
        rig.receive(f"devices/dev/cmd/snapshot/n{i}", {"status": "init"})
    assert len(rig.agent._commands._seen) <= KEPT
    assert len(rig.agent._commands._waiting) <= 16


def test_a_child_that_is_no_longer_known_is_not_listened_to() -> None:
    rig = Rig()
    ready = Ready("ready", "sha", "tflite", "only", 1.0)
    for message in (ready, Answer("answer", 1, {}, LATENCY), Refused("refused", "x")):
        assert rig.handle(ChildSaid("never", message)) == []
    assert rig.outbox.rows == 0


def _payload(message: Publish) -> Any:
    return json.loads(message.payload)


def _without_stamps(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _without_stamps(value) for key, value in tree.items() if key != "time_ms"}
    return tree
