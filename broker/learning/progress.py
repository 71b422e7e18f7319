"""What an operator sees of jobs: lines with bars, and a table of rounds as CSV."""

import csv
import io
from collections.abc import Mapping

from broker.contract.bundle.manifest import Judged
from broker.contract.errors import MessageError, TopicError
from broker.contract.federated.channels import JobStatusChannel
from broker.contract.federated.round import JobStatus, RoundReport
from broker.contract.messages import decode
from broker.contract.topics import Topics
from broker.fleet.text import printable

BAR = 20
COLUMNS = (
    *("number", "updates", "refused", "examples", "bytes", "seconds"),
    *("training_loss", "loss", "accuracy"),
)
OVER = ("done", "failed", "stopped", "refused")


class Progress:
    """Collects the status of jobs; whatever else comes is passed over."""

    def __init__(self, topics: Topics, job: str | None = None) -> None:
        """Watch one job, or all."""
        self._topics, self._job = topics, job
        self.jobs: dict[str, JobStatus] = {}

    @property
    def filters(self) -> list[str]:
        """What to subscribe to."""
        levels = {} if self._job is None else {"job": self._job}
        return [self._topics.filter(JobStatusChannel, **levels)]

    def receive(self, topic: str, payload: bytes) -> None:
        """Take one message."""
        try:
            channel = self._topics.channel(topic)
            if isinstance(channel, JobStatusChannel) and payload:
                self.jobs[channel.job] = decode(JobStatus, payload)
        except (TopicError, MessageError):
            return

    def is_over(self, job: str) -> bool:
        """Whether a job is known to have ended."""
        status = self.jobs.get(job)
        return status is not None and status.state in OVER

    def text(self) -> str:
        """A line for each job."""
        lines = [line(name, status) for name, status in sorted(self.jobs.items())]
        return "\n".join(lines) or "no aggregator has said anything of such a job to this broker"


def line(name: str, status: JobStatus) -> str:
    """One job: state, bars of rounds and updates, loss, accuracy, privacy and bytes."""
    finished = status.history[-1].number if status.history else 0
    done = len(status.history) if len(status.history) < 200 else finished
    parts = [
        f"{name}  {status.state}",
        f"rounds {bar(done, status.rounds)} {done}/{status.rounds}",
    ]
    if status.state == "running":
        parts.append(f"updates {bar(status.updates, status.goal)} {status.updates}/{status.goal}")
    if status.state == "evaluating":
        parts.append(f"answers {bar(status.updates, status.goal)} {status.updates}/{status.goal}")
    if status.history:
        parts += _brought(status.history)
    if status.epsilon is not None:
        parts.append(f"ε {status.epsilon:.3g}")
    if status.judged is not None:
        parts += verdict(status.judged)
    if status.shipped:
        parts.append(f"release {status.release}")
    if status.reason:
        parts.append(printable(status.reason))
    return "  ".join(parts)


def _brought(history: tuple[RoundReport, ...]) -> list[str]:
    newest, parts = history[-1], []
    if newest.training_loss is not None:
        parts.append(f"training loss {newest.training_loss:.4g}")
    if newest.loss is not None:
        parts.append(f"loss {newest.loss:.4g}")
    if newest.accuracy is not None:
        parts.append(f"accuracy {100 * newest.accuracy:.1f} %")
    return [*parts, f"{sum(each.bytes for each in history) / 1e6:.2f} MB received"]


def verdict(judged: Judged) -> list[str]:
    """What devices found of the final model, beside the first one."""
    before = "" if judged.baseline_loss is None else f"{judged.baseline_loss:.4g} → "
    found = [f"held-out loss {before}{judged.loss:.4g}"]
    if judged.accuracy is not None and judged.baseline_accuracy is not None:
        both = f"{100 * judged.baseline_accuracy:.1f} % → {100 * judged.accuracy:.1f} %"
        found.append(f"accuracy {both} on {judged.examples} examples of {judged.devices} devices")
    return found


def bar(part: int, whole: int) -> str:
    """A bar of fixed width."""
    filled = BAR * min(part, whole) // whole if whole else 0
    return f"[{'#' * filled}{'.' * (BAR - filled)}]"


def to_csv(history: tuple[RoundReport, ...]) -> str:
    """A row for each round; what is not known is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for report in history:
        writer.writerow(getattr(report, column) for column in COLUMNS)
    return out.getvalue()


def series(history: tuple[RoundReport, ...]) -> Mapping[str, list[tuple[int, float]]]:
    """The curves of a plot: round and value, where there is one."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for title, column in (
        ("accuracy", "accuracy"),
        ("loss", "loss"),
        ("training loss", "training_loss"),
        ("bytes received", "bytes"),
    ):
        points = [
            (at, float(value))
            for at, report in enumerate(history, 1)
            if (value := getattr(report, column)) is not None
        ]
        if points:
            curves[title] = points
    return curves
