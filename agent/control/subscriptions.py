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


class Subscriptions:
    """The filters of one device; a new link begins with none."""

    def __init__(self, topics: Topics, device: str) -> None:
        self._always = {
            topics.filter(StatusChannel, device=device),
            topics.filter(DesiredChannel, device=device),
            topics.filter(FleetDesiredChannel),
            topics.filter(CommandChannel, device=device),
            topics.filter(McuStatusChannel, device=device),
        }
        self._held: set[str] = set()

    def afresh(self, fed: set[str]) -> list[Action]:
        """Ask for everything; `fed` are the topics that sources read."""
        self._held = set()
        return self.change(fed)

    def change(self, fed: set[str]) -> list[Action]:
        """Ask for what is new and give up what is no longer read."""
        wanted, had = self._always | fed, self._held
        self._held = wanted
        actions: list[Action] = []
        if gone := had - wanted:
            actions.append(Unsubscribe(tuple(sorted(gone))))
        if new := wanted - had:
            actions.append(Subscribe(tuple(sorted(new))))
        return actions
