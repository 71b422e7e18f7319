"""Updates on the disk: `<job>/<terms>/round-<n>` for each, and one link to that which counts.

Learners work in folders of their own, for one that was not ended in time must not write into the
update of another. The folder that `settled` points to names the last round that is over for this
device, and holds what counted updates left behind. Moving the link is the one step that settles a
round.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agent.adapters.durable import synchronise
from agent.errors import StorageError
from agent.learning.jobs.disk import Recalled, Terms
from agent.learning.learner.request import OWN_CONTROL, REPORT, RESIDUAL, Report
from broker.contract.codec import decode_json
from broker.contract.errors import MessageError
from broker.contract.federated.update import MAX_SLICE_BYTES
from broker.contract.shape import parse
from broker.contract.topics import is_name

ROUND = re.compile(r"(?:round|after)-([0-9]{1,9})")
LEFT_BEHIND = (RESIDUAL, OWN_CONTROL)
SETTLED = "settled"
FRESH = "settled.new"
WORK = "work-"
MAX_REPORT_BYTES = 1 << 16


class JobFolders:
    """See `JobDisk`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def recall(self, terms: Terms) -> Recalled:
        """Say what is there, and delete what a crash left half done."""
        with self._translated():
            place = self._place(terms)
            self._drop_other_terms(terms)
            if not place.exists():
                return Recalled()
            base, settled = self._settled(place)
            kept = None
            for entry in sorted(place.iterdir()):
                if entry.name in (SETTLED, base and base.name):
                    continue
                report = _report(entry)
                if report is None or kept is not None or report.round == settled:
                    _delete(entry)
                else:
                    kept = report
            if base is not None:
                for entry in base.iterdir():
                    if entry.name not in LEFT_BEHIND:
                        _delete(entry)
            found = {
                name: str(base / name) if base is not None and (base / name).exists() else None
                for name in LEFT_BEHIND
            }
        return Recalled(settled, kept, found[RESIDUAL], found[OWN_CONTROL])

    def prepare(self, terms: Terms) -> str:
        """Make an empty folder for a learner."""
        place = self._place(terms)
        with self._translated():
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            return tempfile.mkdtemp(prefix=WORK, dir=place)

    def keep(self, terms: Terms, number: int, output: str) -> None:
        """In one step: what a learner left in its folder is the update of a round."""
        target = self._output(terms, number)
        with self._translated():
            _delete(target)
            Path(output).replace(target)
            synchronise(target.parent)

    def piece(self, terms: Terms, number: int, place: int) -> bytes:
        """One slice of a whole update."""
        path = self._output(terms, number) / str(place)
        with self._translated(), path.open("rb") as file:
            data = file.read(MAX_SLICE_BYTES + 1)
        if len(data) > MAX_SLICE_BYTES:
            raise StorageError(f"{path}: a slice of more than {MAX_SLICE_BYTES} bytes")
        return data

    def settle(self, terms: Terms, number: int, *, counted: bool) -> None:
        """In one step: remember the round; if it counted, keep what it left; delete the rest."""
        place, base = self._place(terms), self._output(terms, number)
        with self._translated():
            before, _ = self._settled(place)
            if not counted:
                base = self._carried(place, number, before)
            base.mkdir(parents=True, exist_ok=True, mode=0o700)
            (place / FRESH).unlink(missing_ok=True)
            (place / FRESH).symlink_to(base.name)
            synchronise(base)
            (place / FRESH).replace(place / SETTLED)
            synchronise(place)
        self.recall(terms)

    def discard(self, terms: Terms, number: int) -> None:
        """Delete an update, whole or not."""
        with self._translated():
            _delete(self._output(terms, number))

    def drop_residual(self, job: str) -> None:
        """Delete what was held back from earlier updates, under any terms."""
        with self._translated():
            for path in (self._folder / job).glob(f"*/*/{RESIDUAL}"):
                path.unlink()
                synchronise(path.parent)

    def prune(self, most: int) -> None:
        """Delete all but what is kept of the newest so many jobs."""
        with self._translated():
            if not self._folder.exists():
                return
            jobs = [entry for entry in self._folder.iterdir() if is_name(entry.name)]
            jobs.sort(key=lambda entry: entry.stat().st_mtime_ns, reverse=True)
            for entry in jobs[most:]:
                _delete(entry)

    def remove(self, job: str) -> None:
        """Delete all that is kept of a job."""
        with self._translated():
            _delete(self._folder / job)

    def _place(self, terms: Terms) -> Path:
        return self._folder / terms.job / terms.digest

    def _output(self, terms: Terms, number: int) -> Path:
        return self._place(terms) / f"round-{number}"

    def _drop_other_terms(self, terms: Terms) -> None:
        with suppress(FileNotFoundError):
            for entry in (self._folder / terms.job).iterdir():
                if entry.name != terms.digest:
                    _delete(entry)

    def _settled(self, place: Path) -> tuple[Path | None, int | None]:
        """The folder that the link names, and the number of its round."""
        try:
            name = str((place / SETTLED).readlink())
        except FileNotFoundError:
            return None, None
        found = ROUND.fullmatch(name)
        if found is None or not (place / name).is_dir():
            return None, None
        return place / name, int(found[1])

    def _carried(self, place: Path, number: int, before: Path | None) -> Path:
        """A folder for a round that left nothing, with what earlier ones did."""
        base = place / f"after-{number}"
        if base == before:
            return base
        _delete(base)
        base.mkdir(parents=True, mode=0o700)
        for name in LEFT_BEHIND:
            if before is not None and (before / name).exists():
                os.link(before / name, base / name)
        return base

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(f"{error.filename or self._folder}: {error.strerror}") from None


def _report(folder: Path) -> Report | None:
    """The report of an update that is whole; None for anything else."""
    found = ROUND.fullmatch(folder.name)
    try:
        data = (folder / REPORT).read_bytes()[: MAX_REPORT_BYTES + 1]
        report = parse(Report, decode_json(data, limit=MAX_REPORT_BYTES))
    except (FileNotFoundError, NotADirectoryError, MessageError):
        return None
    if found is None or isinstance(report, list) or report.round != int(found[1]):
        return None
    if not all((folder / str(place)).exists() for place in range(report.slices)):
        return None
    return report


def _delete(path: Path) -> None:
    if path.name.startswith(WORK):
        shutil.rmtree(path, ignore_errors=True)  # perhaps somebody still writes there
    elif path.is_dir() and not path.is_symlink():
        (path / REPORT).unlink(missing_ok=True)  # first: half an update must not look whole
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
