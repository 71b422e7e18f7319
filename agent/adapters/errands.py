"""Errands that run, each watched by the selector through a descriptor of its process."""

import os
import selectors
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from agent.control.events import Event
from agent.errors import ModelError

RequestT = TypeVar("RequestT")
ReportT = TypeVar("ReportT")
Answer_co = TypeVar("Answer_co", covariant=True)


class Process(Protocol[Answer_co]):
    """The near end of an errand."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def poll(self) -> Answer_co | None:
        """Return its report once it has ended; None while it runs.

        Raises:
            ModelError: it has ended without one; the text says why.
        """

    def close(self) -> None:
        """End it at once."""


class Errands(Generic[RequestT, ReportT]):
    """Errands of one kind, by token."""

    def __init__(
        self,
        begin: Callable[[RequestT], Process[ReportT]],
        ended: Callable[[int, ReportT | None, str], Event],
        selector: selectors.BaseSelector,
        handle: Callable[[Event], None],
    ) -> None:
        """Prepare.

        Args:
            begin: starts one; OSError where it cannot.
            ended: makes the event of its report, or of the reason why there is none.
            handle: is told these events.
        """
        self._begin, self._ended = begin, ended
        self._selector = selector
        self._handle = handle
        self._running: dict[int, tuple[Process[ReportT], int]] = {}

    def start(self, token: int, request: RequestT) -> None:
        """Start one."""
        process = None
        try:
            process = self._begin(request)
            descriptor = os.pidfd_open(process.pid)
        except OSError as error:
            if process is not None:
                process.close()
            self._handle(self._ended(token, None, f"cannot start a process: {error.strerror}"))
            return
        self._selector.register(descriptor, selectors.EVENT_READ, None)
        self._running[token] = process, descriptor

    def stop(self, token: int) -> None:
        """End one at once."""
        if found := self._running.pop(token, None):
            self._release(*found)

    def poll(self) -> None:
        """Tell of those that have ended, or are late."""
        for token in list(self._running):
            if token not in self._running:
                continue  # what became of another has ended it
            process, _ = self._running[token]
            try:
                report, reason = process.poll(), ""
            except ModelError as error:
                report, reason = None, str(error)
            if report is None and not reason:
                continue
            self.stop(token)
            self._handle(self._ended(token, report, reason))

    def release(self) -> None:
        """End all of them."""
        for token in list(self._running):
            self.stop(token)

    def _release(self, process: Process[ReportT], descriptor: int) -> None:
        self._selector.unregister(descriptor)
        os.close(descriptor)
        process.close()
