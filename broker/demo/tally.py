"""What the demo saw: results counted once each, and what they say together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, NamedTuple

from broker.contract.messages import Metrics, Result

STAGES = ("preprocess_us", "invoke_us", "postprocess_us", "total_us")


def truth_of(input_name: str | None) -> int | None:
    """Return the index in `digits.npz[images][17]`, the name that a replayed array gives."""
    if input_name is None or not input_name.endswith("]"):
        return None
    digits = input_name[:-1].rpartition("[")[2]
    return int(digits) if digits.isdecimal() else None


class Stream(NamedTuple):
    """What one pipeline of one device says."""

    device: str
    pipeline: str


@dataclass
class Tally:
    """Results by device and pipeline; the pipelines of one device get the same inputs.

    Attributes:
        truth: the labels of each stream's inputs.
        skipped: inputs that a pipeline let pass, since the machine was busy with other things.
        peak_rss_bytes: of a device's main process under its name, and of each pipeline.
    """

    truth: Mapping[Stream, list[int]]
    results: dict[Stream, dict[int, Result]] = field(default_factory=dict)
    duplicates: int = 0
    late: int = 0
    skipped: dict[Stream, int] = field(default_factory=dict)
    runtimes: set[str] = field(default_factory=set)
    peak_rss_bytes: dict[str | Stream, int] = field(default_factory=dict)

    @property
    def devices(self) -> list[str]:
        """Names, in order."""
        return list(dict.fromkeys(stream.device for stream in self.truth))

    def streams_of(self, device: str) -> list[Stream]:
        """The pipelines of a device."""
        return [stream for stream in self.truth if stream.device == device]

    def add(self, stream: Stream, result: Result) -> None:
        """Count a result once, by its sequence."""
        seen = self.results.setdefault(stream, {})
        if result.sequence in seen:
            self.duplicates += 1
            return
        seen[result.sequence] = result
        self.late += bool(result.late)
        self.runtimes.add(result.runtime)

    def measure(self, device: str, metrics: Metrics) -> None:
        """Keep the largest memory of a device's main process and of each child, and the skips."""
        sizes: dict[str | Stream, int] = {device: metrics.rss_bytes}
        for name, pipeline in metrics.pipelines.items():
            stream = Stream(device, name)
            sizes[stream] = pipeline.rss_bytes or 0
            self.skipped[stream] = max(pipeline.drops, self.skipped.get(stream, 0))
        for key, size in sizes.items():
            self.peak_rss_bytes[key] = max(size, self.peak_rss_bytes.get(key) or 0)

    def device_rss_bytes(self, device: str) -> int:
        """The peaks of a device's processes together."""
        keys: list[str | Stream] = [device, *self.streams_of(device)]
        return sum(self.peak_rss_bytes.get(key) or 0 for key in keys)

    @property
    def count(self) -> int:
        """Distinct results."""
        return sum(len(seen) for seen in self.results.values())

    @property
    def expected(self) -> int:
        """Results that are to come."""
        return sum(map(len, self.truth.values()))

    @property
    def lost(self) -> int:
        """Inputs that a pipeline took and no result names."""
        return sum(
            max(0, len(labels) - len(self._answered(stream)) - self.skipped.get(stream, 0))
            for stream, labels in self.truth.items()
        )

    def on_mcu(self, stream: Stream) -> tuple[int, int]:
        """How many results a microcontroller computed, and how many there are."""
        results = self.results.get(stream, {}).values()
        return sum(result.mcu is not None for result in results), len(results)

    def accuracy(self) -> float:
        """Share of the answers whose first label is right."""
        right = answered = 0
        for stream, labels in self.truth.items():
            for index, result in self._answered(stream).items():
                answered += 1
                right += first_label(result.outputs) == str(labels[index])
        return right / answered if answered else 0.0

    def agreed(self, device: str) -> tuple[int, int]:
        """How many inputs got one label from all pipelines of a device, of those all answered."""
        answers = [self._answered(stream) for stream in self.streams_of(device)]
        shared = set.intersection(*map(set, answers)) if answers else set()
        labels = [{first_label(each[index].outputs) for each in answers} for index in shared]
        return sum(len(each) == 1 for each in labels), len(shared)

    def held_back(self, stream: Stream, since_sequence: int) -> int:
        """Results of a pipeline whose best score stayed below the threshold."""
        return sum(
            result.outputs.get("active") is None
            for sequence, result in self.results.get(stream, {}).items()
            if sequence >= since_sequence
        )

    def latency_us(self, stream: Stream) -> dict[str, int]:
        """Median time of each stage; the total only of results that did not wait."""
        latencies = [result.latency for result in self.results.get(stream, {}).values()]
        return {stage: int(median(getattr(one, stage) for one in latencies)) for stage in STAGES}

    def _answered(self, stream: Stream) -> dict[int, Result]:
        labels = self.truth[stream]
        indices = (
            (truth_of(result.input), result) for result in self.results.get(stream, {}).values()
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


def report(tally: Tally) -> list[str]:
    """A line for each stream that said something, under a head."""
    rows = []
    for stream in tally.truth:
        if tally.results.get(stream):
            times = tally.latency_us(stream)
            main = tally.peak_rss_bytes.get(stream.device, 0)
            child = tally.peak_rss_bytes.get(stream, 0)
            rows.append(
                [
                    f"{stream.device} {stream.pipeline.partition('-')[2]}",
                    len(tally.results[stream]),
                    *(times[stage] for stage in STAGES),
                    f"{main / 2**20:.0f}",
                    f"{child / 2**20:.0f}",
                ]
            )
    head = ["", "results", "preprocess µs", "model µs", "postprocess µs", "total µs"]
    return table([*head, "main MB", "pipeline MB"], rows)
