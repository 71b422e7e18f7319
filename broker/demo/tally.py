"""What the demo saw: results counted once each, and what they say together."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
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
        endless: streams whose inputs begin anew when they are over; the others end.
        skipped: inputs that a pipeline let pass, since the machine was busy with other things.
        peak_rss_bytes: of a device's main process under its name, and of each pipeline.
    """

    truth: Mapping[Stream, list[int]]
    endless: frozenset[Stream] = frozenset()
    results: dict[Stream, dict[int, Result]] = field(default_factory=dict)
    duplicates: int = 0
    late: int = 0
    skipped: dict[Stream, int] = field(default_factory=dict)
    runtimes: set[str] = field(default_factory=set)
    peak_rss_bytes: dict[str | Stream, int] = field(default_factory=dict)
    _last: dict[Stream, int] = field(default_factory=dict)

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
        if result.sequence > self._last.get(stream, result.sequence):
            return
        if result.sequence in seen:
            self.duplicates += 1
            return
        seen[result.sequence] = result
        self.late += bool(result.late)
        self.runtimes.add(result.runtime)

    def stop(self) -> None:
        """Count no answers of endless streams beyond the newest that are here by now.

        What is still on its way before these is awaited, and so are the numbers of skipped inputs.
        """
        self._last = {s: max(self.results[s]) for s in self.endless if self.results.get(s)}

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
    def lost(self) -> int:
        """Inputs that a pipeline took and no result names, so far as can be known by now."""
        return sum(
            max(0, self._missing(stream) - self.skipped.get(stream, 0)) for stream in self.truth
        )

    def on_mcu(self, stream: Stream) -> tuple[int, int]:
        """How many results a microcontroller computed, and how many there are."""
        results = self.results.get(stream, {}).values()
        return sum(result.mcu is not None for result in results), len(results)

    @property
    def models(self) -> set[str]:
        """SHA-256 of all that answered."""
        return {result.model for seen in self.results.values() for result in seen.values()}

    def accuracy(
        self, streams: Iterable[Stream] | None = None, models: Container[str] | None = None
    ) -> float | None:
        """Share of the answers whose first label is right; each input of a stream counts once.

        Args:
            streams: whose answers count; None: all.
            models: SHA-256 of those whose answers count; None: all.

        Returns:
            None if nothing was answered.
        """
        right = answered = 0
        for stream in self.truth if streams is None else streams:
            for index, result in self._answered(stream, models).items():
                answered += 1
                right += first_label(result.outputs) == str(self.truth[stream][index])
        return right / answered if answered else None

    def answered(self, stream: Stream, models: Container[str]) -> int:
        """How many of a stream's inputs these models have answered."""
        return len(self._answered(stream, models))

    def runtimes_of(self, device: str) -> list[str]:
        """What answered first in each of a device's pipelines."""
        firsts = [
            next(iter(self.results[s].values()))
            for s in self.streams_of(device)
            if self.results.get(s)
        ]
        return [each.runtime for each in firsts]

    def agreed(self, device: str, models: Container[str] | None = None) -> tuple[int, int]:
        """How many inputs got one label from all pipelines of a device, of those all answered."""
        answers = [self._answered(stream, models) for stream in self.streams_of(device)]
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

    def gap_ms(self, stream: Stream, before: Container[str]) -> int | None:
        """Time between the last input of these models and the first of another one."""
        seen = [result for _, result in sorted(self.results.get(stream, {}).items())]
        for old, new in pairwise(seen):
            if old.model in before and new.model not in before:
                return new.monotonic_ms - old.monotonic_ms
        return None

    def latency_us(self, stream: Stream) -> dict[str, int]:
        """Median time of each stage; the total only of results that did not wait."""
        latencies = [result.latency for result in self.results.get(stream, {}).values()]
        return {stage: int(median(getattr(one, stage) for one in latencies)) for stage in STAGES}

    def _answered(self, stream: Stream, models: Container[str] | None = None) -> dict[int, Result]:
        """The first answer to each input."""
        labels = self.truth[stream]
        found: dict[int, Result] = {}
        for _, result in sorted(self.results.get(stream, {}).items()):
            index = truth_of(result.input)
            if index is None or index >= len(labels):
                continue
            if models is None or result.model in models:
                found.setdefault(index, result)
        return found

    def _missing(self, stream: Stream) -> int:
        """Inputs without an answer: to the end of a stream, or to the newest answer."""
        count = len(self.truth[stream])
        if stream not in self.endless:
            return count - len(self._answered(stream))
        seen = self.results.get(stream, {})
        missing, before = 0, -1
        for _, result in sorted(seen.items()):
            index = truth_of(result.input)
            if index is not None:
                missing += (index - before - 1) % count
                before = index
        return missing


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
