"""What the core keeps informed without knowing what it does."""

from typing import Protocol

from agent.config.device import DeviceConfig
from agent.control.events import Action, Event, Now
from broker.contract.channel import Channel


class Part(Protocol):
    """A part of the agent with a life of its own; every method returns what must be done."""

    def configure(self, config: DeviceConfig, now: Now) -> list[Action]:
        """Take the configuration that is in force from now on."""

    def handle(self, event: Event, now: Now) -> list[Action]:
        """Take any event; with LinkUp the broker knows of no subscription any more."""

    def heard(self, channel: Channel, payload: bytes, now: Now) -> list[Action]:
        """Take a message of the contract, perhaps of somebody else's subscription."""

    def due_ms(self) -> int | None:
        """When a Tick has something to do, on the monotonic clock."""
