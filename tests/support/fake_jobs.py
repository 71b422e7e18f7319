"""A disk of updates in memory that can refuse, and that outlives its agent."""

from collections.abc import Callable

from agent.errors import StorageError
from agent.learning.jobs.disk import Recalled, Terms
from agent.learning.learner.request import Report


class FakeJobs:
    """Keeps what the `JobDisk` protocol says, in plain sight.

    Attributes:
        refuse: called with the method's name before each call; true makes it raise.
        updates: report and slices of each update that is whole, by its output's path.
        residuals: what a counted update left behind, by job: the number of its round.
    """

    def __init__(self) -> None:
        self.refuse: Callable[[str], bool] = lambda _: False
        self.prepared: set[str] = set()
        self.updates: dict[str, tuple[Report, list[bytes]]] = {}
        self.settled: dict[Terms, int] = {}
        self.residuals: dict[str, int] = {}
        self.removed: list[str] = []
        self._count = 0

    def leave(self, output: str, report: Report, pieces: list[bytes]) -> None:
        """What a learner does."""
        assert output in self.prepared
        self.updates[output] = report, pieces

    def recall(self, terms: Terms) -> Recalled:
        self._call("recall")
        place = f"/jobs/{terms.job}/{terms.digest}/"
        self.prepared = {path for path in self.prepared if not path.startswith(place)}
        kept = None
        for path, (report, _) in self.updates.items():
            if path == self._path(terms, report.round):
                kept = report
        found = self.residuals.get(terms.job)
        residual = None if found is None else f"/jobs/{terms.job}/residual-{found}"
        return Recalled(self.settled.get(terms), kept, residual)

    def prepare(self, terms: Terms) -> str:
        self._call("prepare")
        self._count += 1
        path = f"/jobs/{terms.job}/{terms.digest}/work-{self._count}"
        self.prepared.add(path)
        return path

    def keep(self, terms: Terms, number: int, output: str) -> None:
        self._call("keep")
        self.prepared.remove(output)
        self.updates[self._path(terms, number)] = self.updates.pop(output)

    def piece(self, terms: Terms, number: int, place: int) -> bytes:
        self._call("piece")
        return self.updates[self._path(terms, number)][1][place]

    def settle(self, terms: Terms, number: int, *, counted: bool) -> None:
        self._call("settle")
        self._drop(self._path(terms, number))
        self.settled[terms] = number
        if counted:
            self.residuals[terms.job] = number

    def discard(self, terms: Terms, number: int) -> None:
        self._call("discard")
        self._drop(self._path(terms, number))

    def drop_residual(self, job: str) -> None:
        self._call("drop_residual")
        self.residuals.pop(job, None)

    def prune(self, most: int) -> None:
        self._call("prune")

    def remove(self, job: str) -> None:
        self._call("remove")
        self.removed.append(job)
        self.residuals.pop(job, None)
        self.settled = {terms: n for terms, n in self.settled.items() if terms.job != job}
        for path in [p for p in self.updates if p.startswith(f"/jobs/{job}/")]:
            self._drop(path)

    def _drop(self, path: str) -> None:
        self.updates.pop(path, None)

    @staticmethod
    def _path(terms: Terms, number: int) -> str:
        return f"/jobs/{terms.job}/{terms.digest}/round-{number}"

    def _call(self, name: str) -> None:
        if self.refuse(name):
            raise StorageError(f"jobs: No space left on device ({name})")
