"""Which topics the agent reads, and what to change when that changes."""

from agent.control.events import Action, Subscribe, Unsubscribe
from broker.contract.topics import (
    CommandChannel,
    DesiredChannel,
    FleetDesiredChannel,
    McuStatusChannel,
    StatusChannel,
    Topics,
)


class Filters:
    """Filters that somebody holds; a new link begins with none."""

    def __init__(self) -> None:
        self._held: set[str] = set()

    def lost(self) -> None:
        """There is no link, or a new one."""
        self._held = set()

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
        self._filters = Filters()
        self._always = {
            topics.filter(StatusChannel, device=device),
            topics.filter(DesiredChannel, device=device),
            topics.filter(FleetDesiredChannel),
            topics.filter(CommandChannel, device=device),
            topics.filter(McuStatusChannel, device=device),
        }

    def afresh(self, fed: set[str]) -> list[Action]:
        """Ask for everything; `fed` are the topics that sources read."""
        self._filters.lost()
        return self.change(fed)

    def change(self, fed: set[str]) -> list[Action]:
        """Ask for what is new and give up what is no longer read."""
        return self._filters.change(self._always | fed)
