"""What the agent asks of the place where samples are kept."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from agent.config.samples import SamplesConfig
from agent.learning.samples.sample import Label, Sample


class SampleStore(Protocol):
    """Labelled samples by pipeline; every method may raise StorageError."""

    def put(
        self, pipeline: str, samples: Sequence[Sample], bounds: SamplesConfig, at_ms: int | None
    ) -> None:
        """Make samples durable, and let go what is beyond the bounds.

        Args:
            at_ms: Unix time; None while the clock is not synchronised.

        Raises:
            SampleError: one is refused; then none is kept.
        """

    def forget(self, pipeline: str, label: str | None = None) -> int:
        """Delete a pipeline's samples, or those of one label, so that no file holds their bytes.

        Returns:
            How many they were; it tells how much of a class there was, and stays on the device.
        """

    def expire(self, max_age_s: Mapping[str, int], otherwise_s: int, now_ms: int) -> int:
        """Delete what is too old, as `forget` does; samples of unknown time get the present one.

        Args:
            max_age_s: by pipeline; any other pipeline has `otherwise_s`.
            now_ms: Unix time, of a synchronised clock.
        """

    def counts(self, pipeline: str) -> dict[str, int]:
        """How many samples each label has; those with targets are counted under an empty name."""

    def labels(self, pipeline: str) -> list[tuple[str, Label]]:
        """Origin and label of every sample of a pipeline."""

    def load(self, pipeline: str) -> list[Sample]:
        """Every sample of a pipeline, the oldest first."""
