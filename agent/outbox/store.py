"""What the outbox asks of a disk."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(slots=True)
class Row:
    """One result on its way.

    Attributes:
        id: grows with every result; the order of the outbox.
        at_ms: when it came, on the outbox's own clock.
        gone: it was evicted from disk while it was on its way.
    """

    id: int
    pipeline: str
    priority: int
    at_ms: int
    payload: bytes
    gone: bool = False


@dataclass(frozen=True)
class Contents:
    """What a store holds when it is opened.

    Attributes:
        last_id: the largest id of a row; 0 without rows.
        clock_ms: when the last row came, on the outbox's clock; 0 without rows.
        sequences: the first sequence of each pipeline that was never given out.
    """

    rows: int
    bytes: int
    last_id: int
    clock_ms: int
    sequences: dict[str, int]


class Store(Protocol):
    """Rows on disk; every method either takes effect wholly or raises `StorageError`.

    Where room is what lacks, it is `FullError`. `evict` and `expire` may stop half way; they then
    return what went.
    """

    def contents(self) -> Contents:
        """Say what is there."""

    def append(self, rows: Sequence[Row]) -> None:
        """Make rows durable."""

    def delete(self, ids: Iterable[int]) -> None:
        """Forget rows; unknown ids do no harm."""

    def load(self, after_id: int, limit: int) -> list[Row]:
        """Return the oldest rows above `after_id`, in order."""

    def evict(self, size_bytes: int, priority: int) -> dict[int, int]:
        """Drop the oldest rows of the lowest priority, of at least so many bytes.

        Args:
            priority: rows above it stay.

        Returns:
            The id and the payload's size of each row that went.
        """

    def expire(self, before_ms: int) -> dict[int, int]:
        """Drop rows that came before a time of the outbox's clock; return ids and sizes."""

    def reserve(self, pipeline: str, sequence: int) -> None:
        """Note durably that sequences of a pipeline below `sequence` may have been given out."""
