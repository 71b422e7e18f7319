"""Whether the status that the broker holds is ours, and whether somebody else uses our name.

With MQTT 5 the broker says why it closes a link that was taken over. With 3.1.1 it does not, so
two agents under one name would push each other out for ever; they notice by their status topic.
"""

from typing import Literal

from broker.contract.errors import MessageError
from broker.contract.messages import Status, decode

Verdict = Literal["ours", "stale", "rival"]


class Presence:
    """What this instance saw on its own status topic."""

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._connects = 0
        self.lost = False

    def connected(self) -> None:
        """A new connection begins, and with it our `online` is published."""
        self._connects += 1

    def saw(self, payload: bytes) -> Verdict:
        """Judge a message on our own status topic.

        `stale` is what an earlier instance left, or its will, which may come after our `online`
        and would hide it. `rival` is another instance that is online although this one was there
        before it; of the two, the one whose instance is the smaller gives way.
        """
        try:
            status = decode(Status, payload)
        except MessageError:
            return "stale"
        if status.instance == self._instance:
            return "ours" if status.state == "online" else "stale"
        if status.state == "online" and self._connects > 1 and self._instance < status.instance:
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
