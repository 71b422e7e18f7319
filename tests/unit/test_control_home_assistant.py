"""Discovery for Home Assistant: entities that read what is really published."""

import json
import re
from typing import Any

from agent.channel.messages import Mcu, Mcus
from agent.control.events import BRIDGE, Readings
from broker.contract.messages import McuMetrics, McuStatus
from tests.support.sim import Rig, pipeline

TREE: dict[str, Any] = {
    "home_assistant": {"enabled": True},
    "pipelines": {
        "cam": pipeline(),
        "pump": pipeline(postprocess={"kind": "anomaly", "threshold": 2.0}),
        "many": pipeline(postprocess={"kind": "regress"}),
        "off": pipeline(enabled=False),
    },
    "mcus": {"m4": {"port": "/dev/ttyACM0"}},
}
AGENT, M4 = (f"homeassistant/device/dev/{name}/config" for name in ("agent", "mcu-m4"))


def held(rig: Rig) -> dict[str, Any]:
    """What a broker holds under Home Assistant's prefix."""
    messages: dict[str, Any] = {}
    for one in rig.published:
        if one.topic.startswith("homeassistant/"):
            assert one.retain
            messages[one.topic] = json.loads(one.payload) if one.payload else None
    return {topic: tree for topic, tree in messages.items() if tree is not None}


def linked(tree: dict[str, Any] | None = None) -> Rig:
    rig = Rig(tree or TREE)
    rig.link_up()
    return rig


def test_it_is_off_unless_asked_for() -> None:
    assert held(linked({"mcus": TREE["mcus"]})) == {}


def test_a_microcontroller_is_reached_by_way_of_its_device() -> None:
    messages = held(linked())
    assert sorted(messages) == [AGENT, M4]
    (identifier,) = messages[AGENT]["device"]["identifiers"]
    assert messages[M4]["device"]["via_device"] == identifier
    assert messages[M4]["device"]["identifiers"] != [identifier]


def test_each_entity_has_a_platform_and_an_id_of_its_own() -> None:
    parts = [part for tree in held(linked()).values() for part in tree["components"].values()]
    assert {part["platform"] for part in parts} == {"sensor", "binary_sensor"}
    assert len({part["unique_id"] for part in parts}) == len(parts)
    assert sum("/results/" in part["state_topic"] for part in parts) == 2


def test_what_templates_read_is_in_the_messages() -> None:
    rig = linked()
    mcu = Mcu(McuStatus("ready", board="mps2-an386"), McuMetrics(5, 1, 0, 1, 0, 40))
    rig.say(Mcus("mcus", {"m4": mcu}), BRIDGE)
    rig.wait(300)
    rig.handle(Readings(1, 1.5, 0, 48.5, {}))
    rig.serve("cam")
    rig.answer("cam", task="classify", active="cat", top=[])
    rig.serve("pump")
    rig.answer("pump", task="anomaly", error=1.0, anomalous=False)
    rig.send_out()
    payloads = {one.topic: one.payload for one in rig.published if one.payload}
    checked = 0
    for tree in held(rig).values():
        for part in [*tree["components"].values(), *tree["availability"]]:
            message = json.loads(payloads[part.get("state_topic") or part["topic"]])
            for path in re.findall(r"value_json\.([a-z_.]+)", part["value_template"]):
                at: Any = message
                for key in path.removesuffix(".get").split("."):
                    at = at[key]
                checked += 1
            for name, key in re.findall(r"get\('(\w+)', {}\)\.(\w+)", part["value_template"]):
                assert key in message["mcus"][name]
    assert checked >= 10


def test_entities_follow_the_configuration() -> None:
    rig = linked()
    rig.receive("devices/dev/config/desired", {"pipelines": {"pump": None}, "mcus": {"m4": None}})
    rig.wait(300)
    messages = held(rig)
    assert list(messages) == [AGENT]
    assert "pipeline-pump" not in messages[AGENT]["components"]
    rig.receive("devices/dev/config/desired", {"home_assistant": {"enabled": False}})
    rig.wait(300)
    assert held(rig) == {}


def test_a_clean_end_leaves_entities_and_says_that_the_device_is_gone() -> None:
    rig = linked()
    before = held(rig)
    rig.perform(rig.agent.end(rig.now()))
    for name in sorted(rig.alive):
        rig.exit(name, "ended")
    assert rig.ended
    assert held(rig) == before
    assert rig.last("status")["state"] == "stopped"
