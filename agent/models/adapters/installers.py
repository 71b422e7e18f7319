"""Installers, one at a time: a small device has no memory for two."""

import os
import selectors
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from agent.control.events import Event, Install, Installed
from agent.models.adapters.process import InstallerProcess
from agent.models.request import Golden, Request, Verify


class Installers:
    """What is asked of installers, in its order; the selector watches the one at work."""

    def __init__(
        self, cache: Path, selector: selectors.BaseSelector, handle: Callable[[Event], None]
    ) -> None:
        """Prepare; `handle` is told what came of each, and machine code goes into `cache`."""
        self._cache = str(cache)
        self._selector = selector
        self._handle = handle
        self._waiting: deque[Install] = deque()
        self._at_work: tuple[Install, InstallerProcess, int] | None = None

    def start(self, action: Install) -> None:
        """Do this once what was asked for before is done."""
        self._waiting.append(action)
        self._next()

    def poll(self) -> None:
        """Tell of what is done, and start what waits."""
        if self._at_work is None:
            return
        action, process, descriptor = self._at_work
        report = process.poll()
        if report is None:
            return
        self._leave(descriptor)
        self._next()
        reason, is_final = report.reason, report.is_final
        self._handle(Installed(action.pipeline, action.release, reason, is_final))

    def release(self) -> None:
        """End what is at work."""
        if self._at_work is not None:
            _, process, descriptor = self._at_work
            self._leave(descriptor)
            process.close()

    def _next(self) -> None:
        while self._at_work is None and self._waiting:
            action = self._waiting.popleft()
            try:
                process = InstallerProcess(self._request(action))
            except OSError as error:
                reason = f"no installer can be started: {error.strerror}"
                self._handle(Installed(action.pipeline, action.release, reason))
                continue
            descriptor = os.pidfd_open(process.pid)
            self._selector.register(descriptor, selectors.EVENT_READ, None)
            self._at_work = action, process, descriptor

    def _leave(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)
        os.close(descriptor)
        self._at_work = None

    def _request(self, action: Install) -> Request:
        request: Verify | Golden = action.request
        return replace(request, cache=self._cache) if isinstance(request, Golden) else request
