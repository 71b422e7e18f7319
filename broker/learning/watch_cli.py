"""What `fl start --wait` and `fl status` share: watching a job, and writing what came of it."""

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from broker.adapters.operator_link import OperatorLink
from broker.contract.exit_code import ExitCode
from broker.contract.federated.round import JobStatus, RoundReport
from broker.contract.outcome import Outcome
from broker.contract.shape import to_tree
from broker.errors import ConfigError
from broker.learning.plot import Points, png
from broker.learning.progress import Progress, series, to_csv

POLL_S = 0.5


def add_watch_options(parser: argparse.ArgumentParser, wait: str) -> None:
    """Add the option called `wait`, `--timeout` and `--out`."""
    parser.add_argument(wait, dest="wait", action="store_true", help="until the job is over")
    parser.add_argument(
        "--timeout", metavar="S", type=float, default=86_400.0, help="of that wait (a day)"
    )
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="write JOB.csv and JOB.png, a row for each round"
    )


def watched(
    link: OperatorLink, progress: Progress, job: str | None, arguments: argparse.Namespace
) -> Outcome:
    """Look once, or wait until the job is over; then write the files.

    Returns:
        What is known; its exit code is LINK if the job was not over in time.

    Raises:
        LinkError: the connection is lost.
        ConfigError: the files cannot be written.
    """
    for message in link.retained(progress.filters):
        progress.receive(*message)
    in_time = True
    if arguments.wait and job is not None:
        in_time = _wait(link, progress, job, arguments.timeout)
    written = write_curves(progress.jobs, arguments.out) if arguments.out is not None else []
    tree: dict[str, Any] = {"jobs": {n: to_tree(s) for n, s in sorted(progress.jobs.items())}}
    if written:
        tree["written"] = written
    bad = [s for s in progress.jobs.values() if s.state in ("failed", "refused")]
    code = ExitCode.DONE if in_time else ExitCode.LINK
    if arguments.wait and any(s.shipped is False for s in progress.jobs.values()):
        code = ExitCode.MODEL
    if arguments.wait and bad:
        code = ExitCode.CONFIGURATION
    return Outcome("\n".join([progress.text(), *written]), tree, code)


def _wait(link: OperatorLink, progress: Progress, job: str, timeout_s: float) -> bool:
    """Show progress until the job is over; false if it is not in time."""
    give_up_at, is_over = time.monotonic() + timeout_s, progress.is_over(job)
    shown, on_terminal = "", sys.stderr.isatty()
    while not is_over and time.monotonic() < give_up_at:
        if on_terminal and (text := progress.text()) != shown:
            print(f"\r\x1b[K{text[:200]}", end="", file=sys.stderr, flush=True)
            shown = text
        if (message := link.receive(POLL_S)) is not None:
            progress.receive(*message)
        is_over = progress.is_over(job)
    if on_terminal:
        print(file=sys.stderr)
    return is_over


def write_curves(jobs: Mapping[str, JobStatus], folder: Path) -> list[str]:
    """Write a table and a picture of each job; return their paths.

    Raises:
        ConfigError: they cannot be written.
    """
    written = []
    for name, status in sorted(jobs.items()):
        written += write_rounds(folder, name, status.history, series(status.history))
    return written


def write_rounds(
    folder: Path, name: str, history: tuple[RoundReport, ...], curves: Mapping[str, Points]
) -> list[str]:
    """Write a table of rounds and a picture of curves; return their paths.

    Raises:
        ConfigError: they cannot be written.
    """
    table, picture = folder / f"{name}.csv", folder / f"{name}.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        table.write_text(to_csv(history))
        picture.write_bytes(png(curves))
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror}; choose a folder to write to") from None
    return [str(table), str(picture)]
