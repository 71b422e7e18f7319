"""Whether the status that the broker holds is ours, and whether somebody else uses our name.

Two agents under one name push each other out for ever, for a broker closes the older connection
of a client id. With MQTT 5 it may say why; many do not (mosquitto 2.0.11 does not), so an agent
also notices by what it finds on its own status topic when it comes back.
"""

from typing import Literal

from broker.contract.errors import MessageError
from broker.contract.messages import Status, decode

Verdict = Literal["ours", "stale", "rival"]

SIGHTINGS = 3
"""So many returns to one and the same stranger are no chance.

One may be the will of an earlier run of ours, or what a broker restored from an old copy.
"""

WINDOW_MS = 600_000
MAX_STRANGERS = 16
"""Counted during one connection; more are no agents, but somebody who plays with our topic."""


class Presence:
    """What this instance saw on its own status topic."""

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._connects = 0
        self._sightings: dict[str, list[int]] = {}
        self._seen_now: set[str] = set()
        self.lost = False

    def connected(self) -> None:
        """A new connection begins, and with it our `online` is published."""
        self._connects += 1
        self._seen_now = set()

    def saw(self, payload: bytes, now_ms: int) -> Verdict:
        """Judge a message on our own status topic.

        `stale` is not our present state and hides it, so it must be said again. `rival` is another
        instance that was there again and again after this one; of the two, the one whose instance
        is the smaller gives way.
        """
        try:
            status = decode(Status, payload)
        except MessageError:
            return "stale"
        if status.instance == self._instance:
            return "ours" if status.state == "online" else "stale"
        if self._connects > 1 and status.instance not in self._seen_now:
            if len(self._seen_now) >= MAX_STRANGERS:
                return "stale"
            self._seen_now.add(status.instance)
            recent = [
                at_ms
                for at_ms in self._sightings.get(status.instance, [])
                if at_ms > now_ms - WINDOW_MS
            ]
            self._sightings = {status.instance: [*recent, now_ms]}
            if len(recent) + 1 >= SIGHTINGS and self._instance < status.instance:
                self.lost = True
                return "rival"
        return "stale"

    def clash(self, device: str) -> str:
        """The one line that says why this agent ends."""
        self.lost = True
        return (
            f"another agent uses the device id {device!r} on this broker;"
            " give each device its own device_id"
        )
