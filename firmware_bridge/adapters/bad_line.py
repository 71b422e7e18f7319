"""A pty in front of another port, with a bad line between the two."""

import os
import pty
import random
import select
import time
import tty
from heapq import heappop, heappush
from itertools import count
from types import TracebackType

from firmware_bridge.adapters.serial_port import SerialPort
from firmware_bridge.link.faults import FaultRates, Faults

READ_BYTES = 4096
LONGEST_WAIT_S = 0.2


class BadLine:
    """Carries bytes both ways and spoils some; call `carry` again and again.

    Attributes:
        port: the pty to open in place of the real one.

    Raises:
        PortError: the real port cannot be opened, or is gone.
    """

    def __init__(self, port: str, rates: FaultRates, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - the same damage again, not a secret
        self._there = SerialPort(port)
        self._here, self._held = pty.openpty()
        for end in (self._here, self._held):
            tty.setraw(end)
        os.set_blocking(self._here, False)
        self.port = os.ttyname(self._held)
        self._faults = (Faults(rates, chance), Faults(rates, chance))
        self._flying: tuple[list[tuple[float, int, bytes]], ...] = ([], [])
        self._order = count()

    def carry(self) -> None:
        """Wait for bytes, at most a moment, and bring on what is due."""
        select.select([self._here, self._there.fileno()], [], [], self._wait_s())
        try:
            outbound = os.read(self._here, READ_BYTES)
        except BlockingIOError:
            outbound = b""
        self._spoil(0, outbound)
        self._spoil(1, self._there.read())
        self._there.write(self._due(0))
        data = self._due(1)
        while data:
            try:
                data = data[os.write(self._here, data) :]
            except BlockingIOError:
                return  # nobody reads: a serial line loses it as well

    def _spoil(self, way: int, data: bytes) -> None:
        now_s = time.monotonic()
        for piece in self._faults[way].transmit(data) if data else ():
            due = (now_s + piece.delay_ms / 1000, next(self._order), piece.data)
            heappush(self._flying[way], due)

    def _due(self, way: int) -> bytes:
        now_s, data = time.monotonic(), bytearray()
        while self._flying[way] and self._flying[way][0][0] <= now_s:
            data += heappop(self._flying[way])[2]
        return bytes(data)

    def _wait_s(self) -> float:
        due = [pieces[0][0] for pieces in self._flying if pieces]
        if self._there.has_unsent:
            return 0.001
        return max(0.0, min([LONGEST_WAIT_S, *(at - time.monotonic() for at in due)]))

    def __enter__(self) -> "BadLine":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give both ports back."""
        self._there.close()
        for end in (self._here, self._held):
            os.close(end)
