"""Where payloads wait for the source that reads them."""

from collections import deque
from threading import Condition

from agent.sources.protocol import Clock

CAPACITY = 256


class Inbox:
    """A bounded queue between the thread that receives and the one that reads; the oldest goes."""

    def __init__(self, clock: Clock, capacity: int = CAPACITY) -> None:
        self._clock = clock
        self._payloads: deque[tuple[bytes, int]] = deque(maxlen=capacity)
        self._changed = Condition()
        self._dropped = 0

    def put(self, payload: bytes) -> None:
        """Add a payload, which counts as captured now; never waits."""
        with self._changed:
            if len(self._payloads) == self._payloads.maxlen:
                self._dropped += 1
            self._payloads.append((payload, self._clock()))
            self._changed.notify()

    def get(self, timeout_s: float) -> tuple[bytes, int] | None:
        """Wait at most `timeout_s` for the oldest (payload, monotonic ns when it came)."""
        with self._changed:
            if not self._payloads and timeout_s > 0:
                self._changed.wait(timeout_s)
            return self._payloads.popleft() if self._payloads else None

    def dropped(self) -> int:
        """Count payloads that made place for newer ones."""
        return self._dropped
