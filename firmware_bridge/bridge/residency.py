"""Which plans a device holds, which one goes for want of room, and which it cannot run."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from firmware_bridge.link.opening import PLAN_ID_BYTES

KEEP_MS = 10_000
"""A plan that was used so lately stays: two that do not fit together would else displace each other
for ever."""
RETRY_MS = 10_000


@dataclass(slots=True)
class Residency:
    """Plans of one device by sha256; devices tell only the first bytes of each."""

    _used_ms: dict[bytes, int] = field(default_factory=dict)
    _unfit: dict[bytes, tuple[int | None, str]] = field(default_factory=dict)

    def restarted(self) -> None:
        """Another firmware may run now: what could not be run may be tried again."""
        self._unfit.clear()

    def found(self, ids: Iterable[bytes]) -> None:
        """Take over what a device says that it holds."""
        before = self._used_ms
        self._used_ms = {one: before.get(one, 0) for one in ids}

    def holds(self, sha256: bytes) -> bool:
        """Whether the plan is there."""
        return sha256[:PLAN_ID_BYTES] in self._used_ms

    def used(self, sha256: bytes, now_ms: int) -> None:
        """The plan is there and was used."""
        self._used_ms[sha256[:PLAN_ID_BYTES]] = now_ms

    def lost(self, sha256: bytes) -> None:
        """The plan is not there."""
        self._used_ms.pop(sha256[:PLAN_ID_BYTES], None)

    def displace(self, now_ms: int) -> bytes | None:
        """Give up the plan that was not used for longest; None: all were used lately."""
        oldest = min(self._used_ms, key=lambda one: self._used_ms[one], default=None)
        if oldest is None or 0 < now_ms - self._used_ms[oldest] < KEEP_MS:
            return None
        del self._used_ms[oldest]
        return oldest

    def refuse(self, sha256: bytes, reason: str, now_ms: int | None = None) -> None:
        """The device cannot run this plan: until it restarts, or with a time for a while."""
        until_ms = None if now_ms is None else now_ms + RETRY_MS
        self._unfit[sha256] = until_ms, reason

    def is_unfit(self, sha256: bytes, now_ms: int) -> bool:
        """Whether it is of no use to bring the plan there now."""
        if sha256 not in self._unfit:
            return False
        until_ms, _ = self._unfit[sha256]
        if until_ms is not None and now_ms >= until_ms:
            del self._unfit[sha256]
            return False
        return True

    @property
    def plans(self) -> tuple[bytes, ...]:
        """The first bytes of what is held."""
        return tuple(self._used_ms)

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why plans cannot be run here."""
        return tuple(f"plan {one[:4].hex()}: {why}" for one, (_, why) in self._unfit.items())
