"""What the demo saw, in lines for people and in figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from broker.contract.federated.round import JobStatus
from broker.demo.recipe import LEARNER, MCU, RATE_HZ, THRESHOLD_AFTER, pipeline_of
from broker.demo.tally import Stream, Tally, report


@dataclass(frozen=True)
class Seen:
    """All of it.

    Attributes:
        first: SHA-256 of the models that devices began with.
        changed_at: the sequence of each stream with which a new threshold held.
    """

    tally: Tally
    job: JobStatus
    devices: list[str]
    first: frozenset[str]
    changed_at: Mapping[Stream, int]

    @property
    def learners(self) -> list[Stream]:
        """The pipelines that learn and adopt."""
        return [Stream(device, LEARNER) for device in self.devices]

    @property
    def before(self) -> float | None:
        """Share of right answers of the first model."""
        return self.tally.accuracy(self.learners, self.first)

    @property
    def after(self) -> float | None:
        """Share of right answers of what was shipped, on the same inputs."""
        return self.tally.accuracy(self.learners, self.tally.models - self.first)

    @property
    def bytes_per_round(self) -> int:
        """Bytes of updates in a round, of all devices, on average."""
        history = self.job.history
        return round(sum(each.bytes for each in history) / max(1, len(history)))


def figures(seen: Seen) -> dict[str, Any]:
    """The numbers that a program may want."""
    tally, before, after = seen.tally, seen.before, seen.after
    same, both = tally.agreed(seen.devices[0], seen.first)
    peak = max(map(tally.device_rss_bytes, seen.devices), default=0)
    return {
        "results": tally.count,
        "lost": tally.lost,
        "late": tally.late,
        "accuracy_before": None if before is None else round(before, 4),
        "accuracy_after": None if after is None else round(after, 4),
        "bytes_per_round": seen.bytes_per_round,
        "rounds": len(seen.job.history),
        "runtimes": sorted(tally.runtimes),
        "same_labels": same == both,
        "peak_rss_mb": round(peak / 2**20, 1),
    }


def lines(seen: Seen) -> list[tuple[str, str]]:
    """A topic and a line each; tables have no topic."""
    tally, one = seen.tally, seen.devices[0]
    held_back = sum(tally.held_back(stream, since) for stream, since in seen.changed_at.items())
    skipped = sum(tally.skipped.values())
    busy = f", {skipped} inputs let pass by a busy machine" if skipped else ""
    found = [
        (
            "results",
            f"{tally.count} results, {tally.lost} inputs lost{busy}; {tally.late} waited in an"
            f" outbox, {tally.duplicates} came twice and count once; {held_back} were below the"
            f" threshold of {THRESHOLD_AFTER}",
        )
    ]
    names = tally.runtimes_of(one)
    if len(names) > 1:
        same, both = tally.agreed(one, seen.first)
        several = f"{', '.join(names[:-1])} and {names[-1]}"
        found += [("runtimes", f"{same} of {both} digits of {one} got the same label by {several}")]
    board = Stream(one, pipeline_of(MCU))
    if board in tally.truth:
        there, total = tally.on_mcu(board)
        found += [("mcu", f"{there} of {total} were computed there, the others by this machine")]
    found += [("", line) for line in report(tally)]
    before, after = 100 * (seen.before or 0.0), 100 * (seen.after or 0.0)
    gaps = [gap for s in seen.learners if (gap := tally.gap_ms(s, seen.first)) is not None]
    each = seen.bytes_per_round / max(1, len(seen.devices)) / 1000
    return [
        *found,
        (
            "gap",
            f"{max(gaps, default=0)} ms at most between the last picture of the old model and the"
            f" first of the new one; one comes every {1000 / RATE_HZ:.0f} ms",
        ),
        (
            "accuracy",
            f"{before:.1f} % → {after:.1f} % on digits that nobody learned from; a device sent"
            f" {each:.1f} kB a round, and none of its pictures",
        ),
    ]
