"""The devices of a fleet, as their retained status tells."""

from dataclasses import dataclass
from typing import Any

from broker.contract.errors import MessageError, TopicError
from broker.contract.messages import Status, decode
from broker.contract.shape import to_tree
from broker.contract.topics import StatusChannel, Topics
from broker.fleet.text import age_text, printable, table

HEAD = ("DEVICE", "STATE", "VERSION", "PIPELINES", "RUNTIMES", "LAST SEEN")


@dataclass(frozen=True)
class Unreadable:
    """A device whose status is no status, and why."""

    fault: str


class Roster:
    """Collects status messages; whatever else comes is passed over."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._devices: dict[str, Status | Unreadable] = {}

    @property
    def filters(self) -> list[str]:
        """What to subscribe to."""
        return [self._topics.filter(StatusChannel)]

    def receive(self, topic: str, payload: bytes) -> None:
        """Take one message; an empty one removes its device."""
        try:
            channel = self._topics.channel(topic)
        except TopicError:
            return
        if not isinstance(channel, StatusChannel):
            return
        if not payload:
            self._devices.pop(channel.device, None)
            return
        try:
            self._devices[channel.device] = decode(Status, payload)
        except MessageError as error:
            self._devices[channel.device] = Unreadable(str(error))

    @property
    def online(self) -> set[str]:
        """Devices that say that they are there."""
        return {
            device
            for device, status in self._devices.items()
            if isinstance(status, Status) and status.state == "online"
        }

    def state(self, device: str) -> str:
        """What is known of a device, in one word."""
        status = self._devices.get(device)
        if status is None:
            return "unknown"
        return status.state if isinstance(status, Status) else "unreadable"

    def tree(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return {
            device: to_tree(status) if isinstance(status, Status) else {"error": status.fault}
            for device, status in sorted(self._devices.items())
        }

    def text(self, now_ms: int) -> str:
        """A table for people; `now_ms` is Unix time."""
        if not self._devices:
            return "no device has said anything to this broker under this prefix"
        rows = [_row(device, status, now_ms) for device, status in sorted(self._devices.items())]
        return table(HEAD, rows)


def _row(device: str, status: Status | Unreadable, now_ms: int) -> list[str]:
    if isinstance(status, Unreadable):
        return [device, "unreadable", printable(status.fault, 60), "", "", ""]
    pipelines = [
        name if pipeline.state == "running" else f"{name} ({pipeline.state})"
        for name, pipeline in sorted(status.pipelines.items())
    ]
    state = status.state if not status.reason else f"{status.state}: {status.reason}"
    seen = "unknown"
    if status.time_ms is not None:
        seen = age_text((now_ms - status.time_ms) / 1000) if status.time_synced else "clock not set"
    cells = (state, status.version or "", ", ".join(pipelines), ", ".join(status.runtimes), seen)
    return [device, *(printable(cell, 60) for cell in cells)]
