"""The bridge under supervision, and what the broker is told of microcontrollers."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.channel.messages import Mcu, Mcus, Stop
from agent.control.events import BRIDGE, Publish
from agent.control.retained import Retained
from broker.contract.messages import McuMetrics, McuStatus
from tests.support.sim import Rig

M4 = {"port": "/dev/ttyACM0"}
COUNTS = McuMetrics(5, 1, 0, 1, 0, 40)


def told(rig: Rig, **states: str) -> None:
    mcus = {name: Mcu(McuStatus(state), COUNTS) for name, state in states.items()}
    rig.say(Mcus("mcus", mcus), BRIDGE)


def linked(**mcus: Any) -> Rig:
    rig = Rig({"mcus": mcus})
    rig.link_up()
    return rig


def payloads(rig: Rig, mcu: str) -> list[bytes]:
    topic = f"selvedge/v1/devices/dev/mcus/{mcu}/status"
    return [one.payload for one in rig.published if one.topic == topic]


def test_without_microcontrollers_there_is_no_bridge() -> None:
    assert Rig().bridges == []


def test_a_status_is_published_when_it_changes_and_on_each_connection() -> None:
    rig = linked(m4=M4)
    assert rig.last("mcus/m4/status")["state"] == "stopped"
    told(rig, m4="ready")
    rig.wait(300)
    assert rig.last("mcus/m4/status")["state"] == "ready"
    assert rig.last("status")["mcus"] == ["m4"]
    told(rig, m4="ready")
    rig.wait(300)
    assert len(payloads(rig, "m4")) == 2
    rig.link_down()
    told(rig, m4="quarantined")
    rig.wait(300)
    assert len(payloads(rig, "m4")) == 2
    rig.link_up()
    assert rig.last("mcus/m4/status")["state"] == "quarantined"
    assert rig.last("status")["mcus"] == []


def test_counters_are_part_of_metrics() -> None:
    rig = linked(m4=M4)
    told(rig, m4="ready")
    rig.wait(60_000)
    assert rig.last("metrics")["mcus"]["m4"]["answered"] == 5


def test_a_bridge_that_ends_is_started_again_however_often() -> None:
    rig = linked(m4=M4)
    for count in range(1, 12):
        told(rig, m4="ready")
        rig.exit(BRIDGE)
        rig.wait(300)
        assert rig.last("mcus/m4/status") == {
            "state": "stopped",
            "reason": "no bridge: crashed",
            "plans": [],
            "refused": [],
        }
        for _ in range(62):
            if BRIDGE not in rig.alive:
                rig.wait(500)
        assert len(rig.bridges) == count + 1
    assert rig.alive == {BRIDGE}


def test_a_bridge_that_says_nothing_is_killed() -> None:
    rig = linked(m4=M4)
    told(rig, m4="ready")
    rig.wait(11_000)
    assert rig.killed == [BRIDGE]


def test_another_set_of_microcontrollers_starts_the_bridge_again_and_none_ends_it() -> None:
    rig = linked(m4=M4)
    told(rig, m4="ready")
    rig.receive("devices/dev/config/desired", {"mcus": {"m7": {"by_id": "usb-*"}}})
    assert rig.told[-1] == (BRIDGE, Stop("stop"))
    rig.exit(BRIDGE, "ended")
    assert [sorted(one) for one in rig.bridges] == [["m4"], ["m4", "m7"]]
    told(rig, m4="ready", m7="ready")
    rig.receive("devices/dev/config/desired", {"mcus": {"m4": None}})
    rig.exit(BRIDGE, "ended")
    rig.wait(300)
    assert rig.last("status")["mcus"] == []
    assert rig.alive == set()


def test_a_port_must_be_said_in_one_way() -> None:
    rig = linked(m4=M4)
    for wrong in ({"m7": {}}, {"m7": {"port": "/dev/x", "vid_pid": "0483:374b"}}):
        rig.receive("devices/dev/config/desired", {"mcus": wrong})
        assert "one of port, by_id, vid_pid" in str(rig.last("config/reported")["errors"])
    assert len(rig.bridges) == 1


def test_what_an_earlier_run_left_is_cleared() -> None:
    rig = linked(m4=M4)
    rig.receive("devices/dev/mcus/old/status", b'{"state":"ready"}')
    assert payloads(rig, "old") == [b""]
    rig.receive("devices/dev/mcus/old/status", b"")
    rig.receive("devices/dev/mcus/m4/status", b'{"state":"ready"}')
    assert payloads(rig, "old") == [b""]
    assert len(payloads(rig, "m4")) == 1


def test_the_farewell_says_that_nothing_is_there() -> None:
    rig = linked(m4=M4)
    told(rig, m4="ready")
    rig.wait(300)
    rig.perform(rig.agent.end(rig.now()))
    rig.exit(BRIDGE, "ended")
    rig.wait(10)
    assert rig.ended
    assert rig.last("mcus/m4/status")["state"] == "stopped"
    assert rig.last("status")["state"] == "stopped"


TOPICS = st.sampled_from(["a", "b", "c"])
BODIES = st.sampled_from([b"1", b"2"])


@given(st.lists(st.dictionaries(TOPICS, BODIES) | st.booleans() | TOPICS, max_size=12))
def test_the_broker_comes_to_hold_exactly_what_is_wanted(steps: list[Any]) -> None:
    retained, broker = Retained(), {}
    for step in steps:
        match step:
            case bool():
                broker = dict(broker) if step else {}
                retained.afresh()
            case str() if step not in broker:
                broker[step] = b"old"
                retained.found(step)
            case dict():
                for message in retained.change(step):
                    apply(broker, message)
                assert broker == step


def apply(broker: dict[str, bytes], message: Publish) -> None:
    assert message.retain
    if message.payload:
        broker[message.topic] = message.payload
    else:
        broker.pop(message.topic, None)
