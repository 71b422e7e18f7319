"""The main process's end of a learner."""

import os
from contextlib import suppress

from agent.adapters.errand import Errand
from agent.errors import ModelError
from agent.learning.learner.request import Report, Request
from broker.contract.shape import parse, to_tree

MODULE = "agent.learning.learner.app"
NICE = 10


class LearnerProcess:
    """One learner and all that it starts; nothing here waits."""

    def __init__(self, request: Request) -> None:
        """Start it; `request.deadline_s` counts from now.

        Raises:
            OSError: no process can be started.
        """
        self._deadline_s = request.deadline_s
        self._errand = Errand(MODULE, to_tree(request), request.deadline_s)
        with suppress(OSError):  # pipelines come first
            os.setpriority(os.PRIO_PROCESS, self._errand.pid, NICE)

    @property
    def pid(self) -> int:
        """Its process id, which is that of its group."""
        return self._errand.pid

    def poll(self) -> Report | None:
        """Return its report once it has ended well; None while it runs.

        Raises:
            ModelError: it failed, died, or is late; the text says why.
        """
        ended = self._errand.poll()
        if ended is None:
            return None
        if ended.is_late:
            raise ModelError(f"the learner was not done within {self._deadline_s:g} s")
        if ended.tree is None:
            raise ModelError(f"the learner died {ended.how}")
        if isinstance(ended.tree, dict) and "error" in ended.tree:
            raise ModelError(str(ended.tree["error"])[:400])
        report = parse(Report, ended.tree)
        if isinstance(report, list):
            raise ModelError(f"report of the learner refused: {report[0]}")
        return report

    def close(self) -> None:
        """End it, its trainer and its backbone at once."""
        self._errand.close()
