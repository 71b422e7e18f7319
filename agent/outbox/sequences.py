"""Sequence numbers that are never given out twice, whatever is cut off."""

from collections.abc import Mapping

from agent.outbox.store import Store

BLOCK = 4096
"""Sequences reserved with one write; a crash leaves a gap of at most so many."""


class Sequences:
    """The next sequence of each pipeline, reserved on disk in blocks before it is used."""

    def __init__(self, store: Store, reserved: Mapping[str, int]) -> None:
        self._store = store
        self._next = dict(reserved)
        self._reserved = dict(reserved)

    def next(self, pipeline: str) -> int:
        """Give out the next sequence of a pipeline.

        Raises:
            StorageError: it could not be noted, so it might be given out again after a crash.
        """
        sequence = self._next.get(pipeline, 0)
        if sequence >= self._reserved.get(pipeline, 0):
            self._store.reserve(pipeline, sequence + BLOCK)
            self._reserved[pipeline] = sequence + BLOCK
        self._next[pipeline] = sequence + 1
        return sequence

    def give_back(self) -> None:
        """Before a clean end: note what was used, so that no gap remains."""
        for pipeline, sequence in self._next.items():
            if self._reserved[pipeline] > sequence:
                self._store.reserve(pipeline, sequence)
                self._reserved[pipeline] = sequence
