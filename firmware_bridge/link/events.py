"""What a session tells its user."""

from dataclasses import dataclass

from firmware_bridge.link.conversation import Fragment
from firmware_bridge.link.opening import Hello, Reason, Welcome


@dataclass(frozen=True, slots=True)
class Opened:
    """A session is open; on the host with what the device granted, on the device with the wish."""

    terms: Hello | Welcome


@dataclass(frozen=True, slots=True)
class Closed:
    """The session is over: what was not replied to may have been done or not."""

    reason: Reason


Event = Opened | Closed | Fragment
