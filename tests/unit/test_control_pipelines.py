"""All pipelines of a device as the configuration changes under them, and what is counted."""

import json
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from agent.channel.messages import Feed, Progress, Refused, Retune, Stop
from agent.control.events import Received
from agent.control.supervisor import State
from tests.support.sim import Rig, pipeline

ONE = {"pipelines": {"cam": pipeline()}}


def desire(rig: Rig, tree: Any) -> None:
    rig.receive("devices/dev/config/desired", tree)


def change(rig: Rig, **keys: Any) -> None:
    desire(rig, {"pipelines": {"cam": keys}})


@pytest.mark.parametrize(
    "keys", [{"postprocess": {"threshold": 0.25}}, {"priority": 9}, {"postprocess": {"top_k": 3}}]
)
def test_a_running_child_takes_over_a_new_postprocessing(keys: Any) -> None:
    rig = Rig()
    rig.serve()
    change(rig, **keys)
    assert [type(message) for _, message in rig.told] == [Retune]
    assert rig.alive == {"cam"}
    tree = rig.told[-1][1].postprocess
    assert tree["kind"] == "classify"
    assert tree["threshold"] == keys.get("postprocess", {}).get("threshold", 0.5)


@pytest.mark.parametrize(
    "keys",
    [
        {"model": "/other.tflite"},
        {"source": {"rate_hz": 5}},
        {"threads": 2},
        {"postprocess": {"kind": "regress"}},
        {"preprocess": {"kind": "image"}},
        {"deadline_ms": 100},  # the child reports as often as its own deadline calls for
    ],
)
def test_anything_else_restarts_it(keys: Any) -> None:
    rig = Rig()
    rig.serve()
    change(rig, **keys)
    assert rig.told == [("cam", Stop("stop"))]
    rig.exit()
    assert rig.alive == {"cam"}
    assert rig.agent._pipelines.items()["cam"].supervisor.restarts == 0


def test_an_unchanged_configuration_touches_nothing() -> None:
    rig = Rig()
    rig.serve()
    desire(rig, {"log_level": "debug"})
    assert rig.told == []
    rig.say(Refused("refused", "no such model"))
    rig.exit()
    desire(rig, {"log_level": "info"})
    assert rig.alive == set(), "a failed pipeline is not tried again for nothing"
    change(rig, threads=2)
    assert rig.alive == {"cam"}, "but with a new configuration"


def test_disabled_and_enabled_again_while_it_stops() -> None:
    rig = Rig()
    rig.serve()
    change(rig, enabled=False)
    change(rig, enabled=True)
    rig.exit()
    assert rig.alive == {"cam"}
    change(rig, enabled=False)
    rig.exit()
    assert rig.alive == set()
    rig.link_up()
    assert rig.last("status")["pipelines"]["cam"] == {"state": "stopped"}


def test_a_removed_pipeline_is_forgotten_once_its_child_is_gone() -> None:
    rig = Rig()
    rig.serve()
    desire(rig, {"pipelines": {"cam": None}})
    rig.link_up()
    assert rig.last("status")["pipelines"]["cam"]["state"] == "stopping"
    rig.exit()
    rig.wait(1000)
    assert rig.last("status")["pipelines"] == {}


def test_counters_go_on_over_a_restart_of_the_child() -> None:
    rig = Rig()
    rig.link_up()
    rig.serve()
    rig.say(Progress("progress", 100, 3, "open"))
    rig.answer()
    rig.exit()
    rig.wait(1000)
    rig.serve()
    rig.say(Progress("progress", 10, 1, "open", "slow"))
    rig.wait(30_000)
    metrics = rig.last("metrics")["pipelines"]["cam"]
    assert (metrics["frames"], metrics["drops"], metrics["results"]) == (110, 4, 1)
    assert metrics["restarts"] >= 1


def test_status_tells_what_serves_and_what_is_amiss() -> None:
    rig = Rig()
    rig.link_up()
    rig.serve()
    rig.say(Progress("progress", 1, 0, "waiting: unplugged", "postprocess kept as it was"))
    rig.wait(300)
    assert rig.last("status")["pipelines"]["cam"] == {
        "state": "running",
        "reason": "postprocess kept as it was",
        "model": "sha",
        "runtime": "tflite",
        "runtime_reason": "the only one",
        "source": "waiting: unplugged",
    }
    rig.exit(cause="killed by signal 11 (SIGSEGV)")
    rig.wait(201)
    assert rig.last("status")["pipelines"]["cam"] == {
        "state": "backoff",
        "reason": "killed by signal 11 (SIGSEGV)",
    }


def test_changes_within_a_moment_share_one_status() -> None:
    rig = Rig()
    rig.link_up()
    rig.published.clear()
    for i in range(50):
        rig.say(Progress("progress", i, 0, f"waiting {i}"))
    rig.wait(199)
    rig.wait(1)
    assert len([m for m in rig.published if m.topic.endswith("/status")]) == 1
    assert rig.last("status")["pipelines"]["cam"]["source"] == "waiting 49"


def test_a_payload_reaches_every_running_reader_of_its_topic_and_nobody_else() -> None:
    reads = {"source": {"kind": "mqtt", "topic": "t"}}
    other = {"source": {"kind": "mqtt", "topic": "u"}}
    names = {"a": pipeline(**reads), "b": pipeline(**reads), "c": pipeline(**other)}
    rig = Rig({"pipelines": names | {"d": pipeline(**reads)}})
    for name in "abc":
        rig.serve(name)
    rig.handle(Received("t", b"\x00\xff"))
    fed = [(name, message) for name, message in rig.told if isinstance(message, Feed)]
    assert fed == [("a", Feed("feed", "AP8=")), ("b", Feed("feed", "AP8="))]


class FleetOfPipelines(RuleBasedStateMachine):
    """Configurations come and go, children crash; in the end just what is wanted lives."""

    @initialize()
    def begin(self) -> None:
        self.rig = Rig({"pipelines": {}})
        self.wanted: dict[str, Any] = {}

    @rule(
        name=st.sampled_from("abc"),
        keys=st.fixed_dictionaries(
            {},
            optional={
                "enabled": st.booleans(),
                "threads": st.integers(1, 2),
                "postprocess": st.sampled_from([{"kind": "classify"}, {"kind": "regress"}]),
            },
        ),
    )
    def add_or_change(self, name: str, keys: Any) -> None:
        self.wanted[name] = pipeline(**keys)
        desire(self.rig, {"pipelines": self.wanted})

    @rule(name=st.sampled_from("abc"))
    def remove(self, name: str) -> None:
        self.wanted.pop(name, None)
        desire(self.rig, {"pipelines": self.wanted})

    @rule(name=st.sampled_from("abc"))
    def restart(self, name: str) -> None:
        args = {"status": "init", "args": {"pipeline": name}}
        self.rig.receive(f"devices/dev/cmd/restart/{len(self.rig.published)}", args)

    @rule(name=st.sampled_from("abc"))
    def ready(self, name: str) -> None:
        self.rig.serve(name)

    @precondition(lambda self: self.rig.alive)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        self.rig.exit(data.draw(st.sampled_from(sorted(self.rig.alive))))

    @rule(ms=st.integers(0, 5000))
    def wait(self, ms: int) -> None:
        self.rig.wait(ms)

    def teardown(self) -> None:
        for _ in range(20):  # children that were asked to stop do so
            for name in sorted(self.rig.alive):
                supervisor = self.rig.agent._pipelines.items()[name].supervisor
                if supervisor.state is State.STOPPING:
                    self.rig.exit(name)
                else:
                    self.rig.serve(name)
            self.rig.wait(500)
        items = self.rig.agent._pipelines.items()
        assert set(items) == set(self.wanted)
        for name, tree in self.wanted.items():
            enabled = tree.get("enabled", True)
            failed = items[name].supervisor.state in (State.FAILED, State.BACKOFF)
            assert (name in self.rig.alive) == (enabled and not failed)
            assert json.dumps(tree.get("threads", 1)) == str(items[name].config.threads)


TestFleetOfPipelines = FleetOfPipelines.TestCase
TestFleetOfPipelines.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
