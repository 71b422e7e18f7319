"""The machine's clocks and counters."""

import ctypes
import os
import time
from pathlib import Path

from agent.control.events import Now, Readings

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
SYNC_MARK = Path("/run/systemd/timesync/synchronized")
SYNC_CHECK_S = 10.0
EARLIEST_UNIX_S = 1_700_000_000
"""A clock before November 2023 was never set."""

_TIME_ERROR = 5
_TIMEX_BYTES = 512
"""More than `struct timex` has anywhere; all zero, it asks and sets nothing."""


class Machine:
    """Reads `/proc` and the clocks."""

    def __init__(self) -> None:
        self._synced = False
        self._sync_checked_at = -SYNC_CHECK_S
        self._cpu: dict[int, tuple[float, float]] = {}

    def now(self) -> Now:
        """Return the time."""
        monotonic_s = time.monotonic()
        unix_s = time.time()
        if monotonic_s - self._sync_checked_at >= SYNC_CHECK_S:
            self._sync_checked_at = monotonic_s
            self._synced = unix_s > EARLIEST_UNIX_S and clock_is_synced()
        return Now(int(monotonic_s * 1000), max(0, int(unix_s * 1000)), self._synced)

    def readings(self, children: dict[str, int]) -> Readings:
        """Read the counters; `children` are process ids by pipeline."""
        me = os.getpid()
        alive = {me, *children.values()}
        self._cpu = {pid: seen for pid, seen in self._cpu.items() if pid in alive}
        return Readings(
            rss_bytes=rss_bytes(me),
            cpu_percent=self._cpu_percent(me),
            written_bytes=written_bytes(),
            temperature_c=temperature_c(),
            children={
                name: (rss_bytes(pid), self._cpu_percent(pid)) for name, pid in children.items()
            },
        )

    def _cpu_percent(self, pid: int) -> float:
        at, used_s = time.monotonic(), cpu_s(pid)
        before_at, before_s = self._cpu.get(pid, (at, used_s))
        self._cpu[pid] = (at, used_s)
        return round(100 * (used_s - before_s) / (at - before_at), 2) if at > before_at else 0.0


def clock_is_synced() -> bool:
    """Tell whether the system clock was set from a time source, as far as the machine says.

    Whoever disciplines the clock (chrony, ntpsec, timesyncd, PTP) tells the kernel. After hours
    without a source the kernel takes it back; the mark of timesyncd stays until the next boot.
    """
    return _kernel_time_state() in range(_TIME_ERROR) or SYNC_MARK.exists()


def _kernel_time_state() -> int:
    """What adjtimex(2) returns: `_TIME_ERROR` if the clock is not synchronized, -1 if it fails."""
    return int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))


def rss_bytes(pid: int) -> int:
    """Resident memory of a process; 0 when it is gone."""
    fields = _read(f"/proc/{pid}/statm").split()
    return int(fields[1]) * PAGE_BYTES if len(fields) > 1 else 0


def cpu_s(pid: int) -> float:
    """CPU time of a process in seconds; 0 when it is gone."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S if len(fields) > 12 else 0.0


def written_bytes() -> int:
    """Bytes that this process caused to be written to storage."""
    for line in _read("/proc/self/io").splitlines():
        name, _, value = line.partition(":")
        if name == "write_bytes":
            return int(value)
    return 0


def temperature_c() -> float | None:
    """Temperature of the processor, where the machine tells."""
    text = _read("/sys/class/thermal/thermal_zone0/temp").strip()
    return int(text) / 1000 if text.lstrip("-").isdecimal() else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
