"""The one interface of every input."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from agent.pipeline.sample import Sample


class Source(Protocol):
    """An open input.

    Opening is the constructor of each source; it raises `SourceError` with what is missing.
    """

    def read(self, timeout_s: float) -> Sample | None:
        """Wait at most `timeout_s` for the next sample; None if there was none.

        Raises:
            SourceError: the device is gone; the pipeline closes and opens the source again later.
            EndOfSource: there will never be another sample.
        """

    def dropped(self) -> int:
        """Count the inputs that came and were not read, since the source was opened."""

    def close(self) -> None:
        """Release the device; calling it twice does no harm."""


class EndOfSource(Exception):  # noqa: N818 - an end is not an error
    """A replay without loop has played its last input."""


@dataclass(frozen=True)
class Found:
    """One input that the machine has.

    Attributes:
        kind: the `kind` of its configuration.
        address: what to write as its device.
        title: what a person calls it.
        problem: why it could not be opened now, with the remedy; None if it could.
    """

    kind: str
    address: str
    title: str
    problem: str | None = None


Clock = Callable[[], int]
"""Monotonic time in ns."""

Sleep = Callable[[float], None]
"""Wait for seconds."""
