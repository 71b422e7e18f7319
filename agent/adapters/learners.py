"""The learner that runs, watched by the selector through a descriptor of its process."""

import os
import selectors
from collections.abc import Callable

from agent.control.events import Event, LearnerEnded, StartLearner, StopLearner
from agent.errors import ModelError
from agent.learning.learner.adapters.process import LearnerProcess


class Learners:
    """Learners by token; the core has one at a time."""

    def __init__(self, selector: selectors.BaseSelector, handle: Callable[[Event], None]) -> None:
        """Prepare; `handle` is told how they end."""
        self._selector = selector
        self._handle = handle
        self._running: dict[int, tuple[LearnerProcess, int]] = {}

    def start(self, action: StartLearner) -> None:
        """Start one."""
        process = None
        try:
            process = LearnerProcess(action.request)
            descriptor = os.pidfd_open(process.pid)
        except OSError as error:
            if process is not None:
                process.close()
            reason = f"cannot start a process: {error.strerror}"
            self._handle(LearnerEnded(action.token, reason=reason))
            return
        self._selector.register(descriptor, selectors.EVENT_READ, None)
        self._running[action.token] = process, descriptor

    def stop(self, action: StopLearner) -> None:
        """End one at once."""
        if found := self._running.pop(action.token, None):
            self._release(*found)

    def poll(self) -> None:
        """Tell of those that have ended, or are late."""
        for token, (process, descriptor) in list(self._running.items()):
            try:
                report, reason = process.poll(), ""
            except ModelError as error:
                report, reason = None, str(error)
            if report is None and not reason:
                continue
            del self._running[token]
            self._release(process, descriptor)
            self._handle(LearnerEnded(token, report, reason))

    def release(self) -> None:
        """End all of them."""
        for found in self._running.values():
            self._release(*found)
        self._running.clear()

    def _release(self, process: LearnerProcess, descriptor: int) -> None:
        self._selector.unregister(descriptor)
        os.close(descriptor)
        process.close()
