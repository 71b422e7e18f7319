"""When the device says how it is: its status soon after a change, its metrics at intervals."""

from agent.control.announcements import Announcements
from agent.control.events import Action, Measure, Now

STATUS_INTERVAL_MS = 200
"""Changes of state within this time share one status message."""


class Timetable:
    """Keeps the times of status and metrics; both go out over a link only."""

    def __init__(self, announcements: Announcements, started_ms: int) -> None:
        self._announcements = announcements
        self._told = announcements.standing()
        self._status_due_ms: int | None = None
        self._metrics_due_ms = started_ms
        self._interval_ms = 0

    def configure(self, metrics_interval_s: float, now: Now) -> None:
        """Measure at this interval from now on."""
        self._interval_ms = int(metrics_interval_s * 1000)
        self._metrics_due_ms = min(self._metrics_due_ms, now.monotonic_ms + self._interval_ms)

    def plan_status(self, now: Now) -> None:
        """Something changed."""
        if self._status_due_ms is None:
            self._status_due_ms = now.monotonic_ms + STATUS_INTERVAL_MS

    def note_change(self, now: Now) -> None:
        """Plan a status if it would say anything else than before."""
        standing = self._announcements.standing()
        if standing != self._told:
            self._told = standing
            self.plan_status(now)

    def status(self, now: Now) -> list[Action]:
        """Say it at once."""
        self._status_due_ms = None
        self._told = self._announcements.standing()
        return self._announcements.status(now)

    def tick(self, now: Now, *, linked: bool) -> list[Action]:
        """Let time pass."""
        actions: list[Action] = []
        if now.monotonic_ms >= self._metrics_due_ms:
            self._metrics_due_ms = now.monotonic_ms + self._interval_ms
            actions.append(Measure())
        due_ms = self._status_due_ms
        if linked and due_ms is not None and now.monotonic_ms >= due_ms:
            actions += self.status(now)
        return actions

    def due_ms(self, *, linked: bool) -> int:
        """When `tick` has something to do."""
        if linked and self._status_due_ms is not None:
            return min(self._status_due_ms, self._metrics_due_ms)
        return self._metrics_due_ms
