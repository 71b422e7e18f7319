"""A store of samples in memory that can refuse."""

from collections import Counter
from collections.abc import Mapping, Sequence

from agent.config.samples import SamplesConfig
from agent.errors import StorageError
from agent.learning.samples.sample import Label, Sample, check_example


class FakeSamples:
    """Keeps what the `SampleStore` protocol says, in plain sight."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, tuple[Sample, int | None]]] = {}
        self.expired: list[tuple[dict[str, int], int, int]] = []
        self.refuses = False

    def put(
        self, pipeline: str, samples: Sequence[Sample], bounds: SamplesConfig, at_ms: int | None
    ) -> None:
        self._check()
        for sample in samples:
            check_example(sample.example)
            self.kept.setdefault(pipeline, {})[sample.origin] = sample, at_ms

    def forget(self, pipeline: str, label: str | None = None) -> int:
        self._check()
        held = self.kept.get(pipeline, {})
        gone = [o for o, (sample, _) in held.items() if label in (None, sample.label)]
        for origin in gone:
            del held[origin]
        return len(gone)

    def expire(self, max_age_s: Mapping[str, int], otherwise_s: int, now_ms: int) -> int:
        self._check()
        self.expired.append((dict(max_age_s), otherwise_s, now_ms))
        return 0

    def counts(self, pipeline: str) -> dict[str, int]:
        labels = (one.label for one in self.load(pipeline))
        return dict(Counter(label if isinstance(label, str) else "" for label in labels))

    def labels(self, pipeline: str) -> list[tuple[str, Label]]:
        self._check()
        return [(sample.origin, sample.label) for sample in self.load(pipeline)]

    def load(self, pipeline: str) -> list[Sample]:
        return [sample for sample, _ in self.kept.get(pipeline, {}).values()]

    def _check(self) -> None:
        if self.refuses:
            raise StorageError("samples.sqlite3: disk I/O error")
