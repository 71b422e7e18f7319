"""What the agent publishes of itself, and where."""

from dataclasses import replace

from agent.config.device import remote_schema
from agent.control import reports
from agent.control.events import Action, Now, Publish, Readings
from agent.control.home_assistant import discovery
from agent.control.mcus import Microcontrollers
from agent.control.pipelines import Pipelines
from agent.control.reports import Counters, Identity
from agent.control.retained import Retained
from agent.control.shadow import Shadow
from agent.learning.jobs.jobs import Jobs
from agent.outbox.outbox import Outbox
from broker.contract.channel import Channel
from broker.contract.codec import encode_json
from broker.contract.messages import encode
from broker.contract.topics import (
    McuStatusChannel,
    MetricsChannel,
    ReportedChannel,
    SchemaChannel,
    StatusChannel,
    Topics,
)


class Announcements:
    """Messages of one device, built from what the rest of the agent knows."""

    def __init__(
        self,
        identity: Identity,
        topics: Topics,
        shadow: Shadow,
        pipelines: Pipelines,
        mcus: Microcontrollers,
        jobs: Jobs,
    ) -> None:
        self._identity = identity
        self._topics = topics
        self._shadow = shadow
        self._pipelines = pipelines
        self._mcus = mcus
        self._jobs = jobs
        self._retained = Retained()

    def schema(self) -> Publish:
        """What can be configured."""
        topic = self._topics.topic(SchemaChannel(self._identity.device))
        return Publish(topic, encode_json(remote_schema()), retain=True)

    def reported(self) -> Publish:
        """What of the desired configuration is in force."""
        return self._publish(ReportedChannel(self._identity.device), self._shadow.report())

    def status(self, now: Now) -> list[Action]:
        """How the device is, and of its microcontrollers those whose status changed."""
        message = reports.status(self._identity, self._pipelines, self._mcus, now)
        message = replace(message, learning=self._jobs.statuses() or None)
        channel = StatusChannel(self._identity.device)
        return [self._publish(channel, message), *self._changed()]

    def standing(self) -> list[object]:
        """Return what `status` would be made of: it is due when this changes."""
        pipelines = self._pipelines.items().items()
        return [
            self._mcus.statuses(),
            self._jobs.statuses(),
            *((name, one.status()) for name, one in pipelines),
        ]

    def farewell(self, now: Now, error: str | None) -> list[Action]:
        """The agent ends in good order."""
        message = reports.farewell(self._identity, now, error)
        channel = StatusChannel(self._identity.device)
        return [*self._changed(), self._publish(channel, message)]

    def metrics(
        self, outbox: Outbox, counters: Counters, readings: Readings, now: Now
    ) -> list[Action]:
        """Numbers about the device's health."""
        message = reports.metrics(
            self._identity, self._pipelines, self._mcus, outbox, counters, readings, now
        )
        message = replace(message, learning=self._jobs.metrics())
        return [self._publish(MetricsChannel(self._identity.device), message)]

    def connected(self) -> None:
        """Another link: everything that is retained is published again."""
        self._retained.afresh()

    def found(self, channel: McuStatusChannel, payload: bytes) -> list[Action]:
        """The broker holds the status of a microcontroller, perhaps of one that is no more."""
        if not payload or channel.mcu in self._mcus.statuses():
            return []
        self._retained.found(self._topics.topic(channel))
        return self._changed()

    def _changed(self) -> list[Action]:
        """What comes and goes: microcontrollers, and what Home Assistant is told."""
        device, version = self._identity.device, self._identity.version
        wanted = {
            self._topics.topic(McuStatusChannel(device, name)): encode(status)
            for name, status in self._mcus.statuses().items()
        }
        wanted |= discovery(device, version, self._topics, self._shadow.config)
        return [*self._retained.change(wanted)]

    def _publish(self, channel: Channel, message: object) -> Publish:
        return Publish(self._topics.topic(channel), encode(message), retain=channel.retained)
