"""A steady rate: when the next input is due, and which inputs are surplus or too late."""

from agent.sources.protocol import Clock, Sleep


class Pace:
    """Ticks at a rate, beginning with the first call; a late caller skips ticks like a camera."""

    def __init__(self, rate_hz: float) -> None:
        self._period_ns = max(1, round(1e9 / rate_hz))
        self._due_ns: int | None = None

    def wait_ns(self, now_ns: int) -> int:
        """Return the time in ns until the next tick; 0 if it is due."""
        if self._due_ns is None:
            self._due_ns = now_ns
        return max(0, self._due_ns - now_ns)

    def take(self, now_ns: int) -> tuple[int, int]:
        """Take the latest tick that is due; return (ticks skipped before it, its time in ns)."""
        due_ns = now_ns if self._due_ns is None else self._due_ns
        skipped = max(0, (now_ns - due_ns) // self._period_ns)
        tick_ns = due_ns + skipped * self._period_ns
        self._due_ns = tick_ns + self._period_ns
        return skipped, tick_ns

    def await_tick(self, clock: Clock, sleep: Sleep, timeout_s: float) -> bool:
        """Sleep until the next tick, at most `timeout_s`; tell whether it is due."""
        wait_ns = self.wait_ns(clock())
        if wait_ns > timeout_s * 1e9:
            sleep(max(0.0, timeout_s))
            return False
        if wait_ns:
            sleep(wait_ns / 1e9)
        return True


class Thinner:
    """Lets through as many frames of a camera as were asked for, when it can go no slower."""

    def __init__(self, rate_hz: float, frame_interval_ns: int) -> None:
        self._period_ns = round(1e9 / rate_hz)
        self._slack_ns = min(frame_interval_ns, self._period_ns) // 2
        self._due_ns: int | None = None

    def wants(self, captured_ns: int) -> bool:
        """Tell whether the frame captured at `captured_ns` is the one nearest to a tick."""
        due_ns = captured_ns if self._due_ns is None else self._due_ns
        if captured_ns < due_ns - self._slack_ns:
            return False
        # A long gap is not made up for by a burst.
        self._due_ns = max(due_ns, captured_ns - self._slack_ns) + self._period_ns
        return True
