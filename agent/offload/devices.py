"""What a model wants of the bridge, and what the bridge's verdicts mean to a user."""

from typing import Protocol

from firmware_bridge.bridge.jobs import Verdict
from firmware_bridge.bridge.protocol import Told

MEANING = {
    Verdict.UNKNOWN_PLAN: "the bridge lost the plan",
    Verdict.NO_DEVICE: "no microcontroller is healthy",
    Verdict.UNREADY: "the plan is on its way to a microcontroller",
    Verdict.BUSY: "the microcontrollers are busy",
    Verdict.LATE: "a microcontroller was late",
    Verdict.LOST: "a microcontroller was lost at work",
    Verdict.REFUSED: "no microcontroller can run the plan",
}
NO_BRIDGE = "the bridge does not answer"
WRONG = "a microcontroller gave a wrong answer"


class Devices(Protocol):
    """The bridge, for one model.

    Raises:
        LinkDownError: from any method: nobody answers there in time.
    """

    def infer(self, inputs: bytes, deadline_ms: int) -> Told:
        """Ask, and wait for the outcome."""

    def begin(self, inputs: bytes, deadline_ms: int) -> int:
        """Ask; returns the number of what was asked."""

    def take(self, number: int) -> Told | None:
        """Return the outcome of what was asked, if it is there."""

    def distrust(self, name: str) -> None:
        """Say that a device's answer was wrong."""
