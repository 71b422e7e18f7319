"""Lines of numbers from a serial port."""

import contextlib
import logging
from collections import deque
from pathlib import Path

import serial

from agent.config.sources import SERIAL_SCHEMES
from agent.config.sources import SerialSource as Config
from agent.errors import SourceError
from agent.pipeline.sample import Sample
from agent.sources.lines import LineSplitter, RowParser
from agent.sources.protocol import Clock, Found

MAX_WAITING_ROWS = 1024
MAX_READ_BYTES = 4096

_log = logging.getLogger(__name__)


class SerialSource:
    """Each line is one sample, float32 [columns]; lines that are not numbers are counted."""

    def __init__(self, config: Config, clock: Clock) -> None:
        """Open the port for this process alone.

        Raises:
            SourceError: no such port, busy, no permission, or a URL of a kind that is refused.
        """
        self._name = config.port
        self._clock = clock
        scheme, is_url, _ = config.port.partition("://")
        if is_url and scheme not in SERIAL_SCHEMES:
            raise SourceError(
                f"serial: {config.port}: use a path, or {', '.join(SERIAL_SCHEMES)}://…"
            )
        try:
            self._port = serial.serial_for_url(config.port, config.baud, timeout=0, exclusive=True)
        except (serial.SerialException, OSError, ValueError) as error:
            raise SourceError(f"serial: {config.port}: {_remedy(error)}") from None
        self._lines = LineSplitter(in_midstream=not is_url)
        self._parser = RowParser(config.separator, config.columns)
        self._rows: deque[Sample] = deque(maxlen=MAX_WAITING_ROWS)
        self._bad = 0
        self._displaced = 0

    def read(self, timeout_s: float) -> Sample | None:
        """Return the oldest row that is waiting; see `Source.read`."""
        deadline_ns = self._clock() + round(max(0.0, timeout_s) * 1e9)
        while not self._rows:
            left_ns = deadline_ns - self._clock()
            if not self._receive(max(0.0, left_ns / 1e9)) and left_ns <= 0:
                return None
        return self._rows.popleft()

    def dropped(self) -> int:
        """Count lines that were bad or too long, and rows that came faster than they were read."""
        return self._bad + self._lines.overlong + self._displaced

    def close(self) -> None:
        """Close the port."""
        with contextlib.suppress(OSError, serial.SerialException):
            self._port.close()

    def _receive(self, timeout_s: float) -> bool:
        try:
            waiting = min(self._port.in_waiting, MAX_READ_BYTES)
            if not waiting:
                self._port.timeout = timeout_s
            data = self._port.read(waiting or 1)
        except (serial.SerialException, OSError, TypeError) as error:
            # TypeError: what pyserial makes of a port that is closed under it.
            raise SourceError(f"serial: {self._name} is gone: {_remedy(error)}") from None
        captured_ns = self._clock()
        for line in self._lines.feed(data):
            if line.strip():
                self._take(line, captured_ns)
        return bool(data)

    def _take(self, line: bytes, captured_ns: int) -> None:
        try:
            row = self._parser.parse(line)
        except ValueError as error:
            if not self._bad:
                _log.warning("serial: %s: line refused: %s", self._name, str(error)[:200])
            self._bad += 1
            return
        if len(self._rows) == MAX_WAITING_ROWS:
            self._displaced += 1
        self._rows.append(Sample(row, captured_ns))


def discover(by_id: Path = Path("/dev/serial/by-id")) -> list[Found]:
    """List serial ports under the name that stays theirs."""
    from serial.tools import list_ports

    stable = {}
    with contextlib.suppress(OSError):
        stable = {str(link.resolve()): str(link) for link in sorted(by_id.iterdir())}
    return [
        Found("serial", stable.get(port.device, port.device), _title(port.description, port.name))
        for port in sorted(list_ports.comports())
    ]


def _title(description: str, name: str) -> str:
    return name if description in ("", "n/a") else description


def _remedy(error: Exception) -> str:
    text = " ".join(str(error).split())
    code = getattr(error, "errno", None)
    if code == 13:
        return "no permission; sudo usermod -aG dialout $USER, then log in again"
    if code == 2:
        return "no such port; 'selvedge doctor' lists those that are there"
    if code in (11, 16) or "lock" in text:
        return "another program uses it"
    return text or type(error).__name__
