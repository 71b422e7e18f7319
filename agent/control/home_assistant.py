"""Discovery messages for Home Assistant: one for the device, and one for each microcontroller.

https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
"""

from typing import Any

from agent.config.device import DeviceConfig
from agent.config.processing import AnomalyPostprocess, ClassifyPostprocess, Postprocess
from broker.contract.codec import encode_json
from broker.contract.topics import (
    McuStatusChannel,
    MetricsChannel,
    ResultsChannel,
    StatusChannel,
    Topics,
)

Tree = dict[str, Any]
ONLINE = "{{ 'online' if value_json.state == 'online' else 'offline' }}"
ANSWERS = "{{ 'ON' if value_json.state in ('ready', 'uploading') else 'OFF' }}"
ORIGIN = "Selvedge"


def discovery(device: str, version: str, topics: Topics, config: DeviceConfig) -> dict[str, bytes]:
    """Return the retained messages by topic; none if it is switched off."""
    if not config.home_assistant.enabled:
        return {}
    prefix = f"{config.home_assistant.prefix}/device/{device}"
    about = _Device(device, version, topics)
    found = {f"{prefix}/agent/config": about.agent(config)}
    found |= {f"{prefix}/mcu-{name}/config": about.mcu(name) for name in config.mcus}
    return {topic: encode_json(tree) for topic, tree in found.items()}


class _Device:
    def __init__(self, device: str, version: str, topics: Topics) -> None:
        self._device = device
        self._version = version
        self._status = topics.topic(StatusChannel(device))
        self._metrics = topics.topic(MetricsChannel(device))
        self._topics = topics
        self._id = f"selvedge-{device}"

    def agent(self, config: DeviceConfig) -> Tree:
        """The device itself, with an entity for each pipeline."""
        parts = {
            "temperature": self._number("temperature_c", "°C", device_class="temperature"),
            "cpu": self._number("cpu_percent", "%"),
            "outbox": self._number("outbox.rows", "results"),
        }
        for name, pipeline in config.pipelines.items():
            if pipeline.enabled and (shown := _shown(pipeline.postprocess)):
                topic = self._topics.topic(ResultsChannel(self._device, name))
                parts[f"pipeline-{name}"] = {"name": name, "state_topic": topic, **shown}
        about = {"name": self._device, "manufacturer": ORIGIN, "sw_version": self._version}
        return self._message(self._id, about, parts)

    def mcu(self, name: str) -> Tree:
        """A microcontroller, which is reached by way of the device."""
        status = self._topics.topic(McuStatusChannel(self._device, name))
        parts: dict[str, Tree] = {
            "answers": {
                "platform": "binary_sensor",
                "device_class": "connectivity",
                "state_topic": status,
                "value_template": ANSWERS,
            },
            "state": {
                "platform": "sensor",
                "entity_category": "diagnostic",
                "state_topic": status,
                "value_template": "{{ value_json.state }}",
                "json_attributes_topic": status,
            },
            "answered": self._number(f"mcus.get('{name}', {{}}).answered", "inferences"),
            "late": self._number(f"mcus.get('{name}', {{}}).late", "inferences"),
        }
        about = {"name": f"{self._device} {name}", "manufacturer": ORIGIN, "via_device": self._id}
        return self._message(f"{self._id}-{name}", about, parts)

    def _number(self, path: str, unit: str, **more: str) -> Tree:
        return {
            "platform": "sensor",
            "entity_category": "diagnostic",
            "state_topic": self._metrics,
            "value_template": f"{{{{ value_json.{path} | default(none) }}}}",
            "unit_of_measurement": unit,
            **more,
        }

    def _message(self, identifier: str, about: Tree, parts: dict[str, Tree]) -> Tree:
        named = {
            key: {"name": key, "unique_id": f"{identifier}-{key}", **part}
            for key, part in parts.items()
        }
        return {
            "device": {"identifiers": [identifier], **about},
            "origin": {"name": ORIGIN, "sw_version": self._version},
            "availability": [{"topic": self._status, "value_template": ONLINE}],
            "components": named,
        }


def _shown(post: Postprocess) -> Tree | None:
    """The one value of a pipeline that says most; None: it has too many."""
    match post:
        case ClassifyPostprocess():
            value = "{{ value_json.outputs.active }}"
            return {"platform": "sensor", "value_template": value}
        case AnomalyPostprocess():
            value = "{{ 'ON' if value_json.outputs.anomalous else 'OFF' }}"
            return {
                "platform": "binary_sensor",
                "device_class": "problem",
                "value_template": value,
            }
    return None
