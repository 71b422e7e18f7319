"""Retained messages that stand for things which come and go: only differences are published."""

from collections.abc import Mapping

from agent.control.events import Publish

UNKNOWN = b""
"""Stands for what a broker may hold; a payload without bytes is how a message is cleared."""


class Retained:
    """What the broker holds of ours, by topic."""

    def __init__(self) -> None:
        self._held: dict[str, bytes] = {}

    def afresh(self) -> None:
        """Another link: the broker may have lost all, and may hold what is no longer true."""
        self._held = dict.fromkeys(self._held, UNKNOWN)

    def found(self, topic: str) -> None:
        """The broker holds something there."""
        self._held.setdefault(topic, UNKNOWN)

    def change(self, wanted: Mapping[str, bytes]) -> list[Publish]:
        """Publish what is new or another, and clear what is no longer wanted."""
        gone = self._held.keys() - wanted.keys()
        fresh = {topic: body for topic, body in wanted.items() if self._held.get(topic) != body}
        self._held = dict(wanted)
        told = dict.fromkeys(sorted(gone), UNKNOWN) | fresh
        return [Publish(topic, body, retain=True) for topic, body in told.items()]
