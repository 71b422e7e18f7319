"""Events on their way from the link's threads to the main loop."""

import socket
import threading
from collections import deque

from agent.control.events import LinkEvent, Received

LIMIT_BYTES = 4 * 1024 * 1024
OVERHEAD_BYTES = 500
"""What a small message takes at least."""


class EventQueue:
    """Bounded where outsiders fill it: messages from the broker beyond the limit are dropped.

    Acknowledgements and the link's own ups and downs are bounded by what we do ourselves, and
    never dropped. A selector sees the queue as readable when there is something in it.
    """

    def __init__(self) -> None:
        self._events: deque[LinkEvent] = deque()
        self._held_bytes = 0
        self._dropped = 0
        self._lock = threading.Lock()
        self._read_end, self._write_end = socket.socketpair()
        for end in (self._read_end, self._write_end):
            end.setblocking(False)

    def fileno(self) -> int:
        """For a selector."""
        return self._read_end.fileno()

    def put(self, event: LinkEvent) -> None:
        """Add an event, from any thread, and wake the main loop."""
        with self._lock:
            if isinstance(event, Received):
                size_bytes = len(event.payload) + OVERHEAD_BYTES
                if self._held_bytes + size_bytes > LIMIT_BYTES:
                    self._dropped += 1
                    return
                self._held_bytes += size_bytes
            self._events.append(event)
        self.wake()

    def wake(self) -> None:
        """Make the selector return; safe in a signal handler."""
        try:
            self._write_end.send(b"\0")
        except OSError:
            return

    def take(self) -> tuple[deque[LinkEvent], int]:
        """Return the events in order, and how many were dropped since the last call."""
        try:
            while self._read_end.recv(4096):
                pass
        except BlockingIOError:
            pass
        with self._lock:
            events, self._events = self._events, deque()
            dropped, self._dropped = self._dropped, 0
            self._held_bytes = 0
        return events, dropped
