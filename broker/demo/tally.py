"""What the demo saw: results counted once each, and what they say together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from broker.contract.messages import Metrics, Result

STAGES = ("preprocess_us", "invoke_us", "postprocess_us", "total_us")


def truth_of(input_name: str | None) -> int | None:
    """Return the index in `digits.npz[images][17]`, the name that a replayed array gives."""
    if input_name is None or not input_name.endswith("]"):
        return None
    digits = input_name[:-1].rpartition("[")[2]
    return int(digits) if digits.isdecimal() else None


@dataclass
class Tally:
    """Results by device; `truth` holds the labels of each device's inputs."""

    truth: Mapping[str, list[int]]
    results: dict[str, dict[int, Result]] = field(default_factory=dict)
    duplicates: int = 0
    late: int = 0
    runtimes: set[str] = field(default_factory=set)
    peak_rss_bytes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, device: str, result: Result) -> None:
        """Count a result once, by device and sequence."""
        seen = self.results.setdefault(device, {})
        if result.sequence in seen:
            self.duplicates += 1
            return
        seen[result.sequence] = result
        self.late += bool(result.late)
        self.runtimes.add(result.runtime)

    def measure(self, device: str, metrics: Metrics) -> None:
        """Keep the largest memory of a device: its main process, and its children."""
        children = sum(pipeline.rss_bytes or 0 for pipeline in metrics.pipelines.values())
        main, child = self.peak_rss_bytes.get(device, (0, 0))
        self.peak_rss_bytes[device] = (max(main, metrics.rss_bytes), max(child, children))

    @property
    def count(self) -> int:
        """Distinct results."""
        return sum(len(seen) for seen in self.results.values())

    @property
    def expected(self) -> int:
        """Inputs that were given."""
        return sum(len(labels) for labels in self.truth.values())

    @property
    def lost(self) -> int:
        """Inputs that no result names."""
        return self.expected - sum(len(self._answered(device)) for device in self.truth)

    def accuracy(self) -> float:
        """Share of the answered inputs whose first label is right."""
        right = answered = 0
        for device, labels in self.truth.items():
            for index, result in self._answered(device).items():
                answered += 1
                right += first_label(result.outputs) == str(labels[index])
        return right / answered if answered else 0.0

    def held_back(self, device: str, since_sequence: int) -> int:
        """Results of a device whose best score stayed below the threshold."""
        return sum(
            result.outputs.get("active") is None
            for sequence, result in self.results.get(device, {}).items()
            if sequence >= since_sequence
        )

    def latency_us(self, device: str) -> dict[str, int]:
        """Median time of each stage; the total only of results that did not wait."""
        latencies = [result.latency for result in self.results.get(device, {}).values()]
        return {stage: int(median(getattr(one, stage) for one in latencies)) for stage in STAGES}

    def _answered(self, device: str) -> dict[int, Result]:
        labels = self.truth[device]
        indices = (
            (truth_of(result.input), result) for result in self.results.get(device, {}).values()
        )
        return {
            index: result for index, result in indices if index is not None and index < len(labels)
        }


def first_label(outputs: Mapping[str, Any]) -> str | None:
    """The label of the best guess in the outputs of a classification."""
    top = outputs.get("top")
    return top[0].get("label") if isinstance(top, list) and top else None


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """Lay out rows under a head; the first column to the left, numbers to the right."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]
