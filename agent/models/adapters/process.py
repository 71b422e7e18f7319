"""The main process's end of an installer."""

from agent.adapters.errand import Ended, Errand
from agent.models.request import Report, Request
from broker.contract.shape import parse, to_tree

MODULE = "agent.models.installer.app"


class InstallerProcess:
    """One installer; nothing here waits."""

    def __init__(self, request: Request) -> None:
        """Start it; `request.deadline_s` counts from now.

        Raises:
            OSError: no process can be started.
        """
        self._what = request.kind
        self._errand = Errand(MODULE, to_tree(request), request.deadline_s)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._errand.pid

    def poll(self) -> Report | None:
        """Return its report once it has ended, however; None while it runs."""
        ended = self._errand.poll()
        if ended is None:
            return None
        if ended.is_late:
            return Report(f"{self._what}: the installer was not done in time", is_final=True)
        report = parse(Report, ended.tree)
        return self._dead(ended) if isinstance(report, list) else report

    def close(self) -> None:
        """End it at once."""
        self._errand.close()

    def _dead(self, ended: Ended) -> Report:
        """A model that ends the process in which it is tried would end a pipeline's."""
        what = f"{self._what}: the installer died {ended.how}"
        return Report(what, is_final=self._what == "golden")
