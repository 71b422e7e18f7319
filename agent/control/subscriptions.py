"""Which topics the agent reads, and what to change when that changes."""

from agent.control.events import Action, Now, Subscribe, Unsubscribe
from broker.contract.topics import (
    CommandChannel,
    DesiredChannel,
    FleetDesiredChannel,
    McuStatusChannel,
    StatusChannel,
    Topics,
)

ASK_AGAIN_MS = 60_000
"""Not at once: what overflowed may have been the answer."""


class Filters:
    """Filters that somebody holds; a new link begins with none.

    Attributes:
        due_ms: when they are to be asked for again, on the monotonic clock.
    """

    def __init__(self) -> None:
        self.due_ms: int | None = None
        self._held: set[str] = set()

    def lost(self) -> None:
        """There is no link, or a new one."""
        self.due_ms, self._held = None, set()

    def overflowed(self, now: Now) -> None:
        """Messages were dropped; a retained one may be among them, and comes when asked for."""
        if self.due_ms is None:
            self.due_ms = now.monotonic_ms + ASK_AGAIN_MS

    def tick(self, now: Now) -> bool:
        """Whether all of them are to be asked for again, now."""
        if self.due_ms is None or now.monotonic_ms < self.due_ms:
            return False
        self.lost()
        return True

    def change(self, wanted: set[str]) -> list[Action]:
        """Ask for what is new and give up what is no longer read."""
        had, self._held = self._held, set(wanted)
        actions: list[Action] = []
        if gone := had - wanted:
            actions.append(Unsubscribe(tuple(sorted(gone))))
        if new := wanted - had:
            actions.append(Subscribe(tuple(sorted(new))))
        return actions


class Subscriptions:
    """What one device always reads, and what its sources do."""

    def __init__(self, topics: Topics, device: str) -> None:
        self._own, self._fed = Filters(), Filters()
        self._linked = False
        self._always = {
            topics.filter(StatusChannel, device=device),
            topics.filter(DesiredChannel, device=device),
            topics.filter(FleetDesiredChannel),
            topics.filter(CommandChannel, device=device),
            topics.filter(McuStatusChannel, device=device),
        }

    @property
    def due_ms(self) -> int | None:
        """When a `tick` has something to do, on the monotonic clock."""
        return self._own.due_ms

    def lost(self) -> None:
        """There is no link."""
        self._linked = False
        self._own.lost()
        self._fed.lost()

    def afresh(self, fed: set[str]) -> list[Action]:
        """Ask a new link for everything; `fed` are the topics that sources read."""
        self.lost()
        self._linked = True
        return [*self._own.change(self._always), *self.change(fed)]

    def change(self, fed: set[str]) -> list[Action]:
        """Ask for what is new and give up what is no longer read."""
        return self._fed.change(fed - self._always)

    def overflowed(self, now: Now) -> None:
        """Messages were dropped: a configuration or a command may be among them."""
        if self._linked:
            self._own.overflowed(now)

    def tick(self, now: Now) -> list[Action]:
        """Ask again when it is time, but not for what sensors said: that is not retained for us."""
        return self._own.change(self._always) if self._own.tick(now) else []
