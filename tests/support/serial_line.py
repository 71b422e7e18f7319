"""A simulated serial line on a virtual clock: baud, latency, seeded faults."""

import heapq
from collections.abc import Callable
from itertools import count
from random import Random

from firmware_bridge.link.device import Device
from firmware_bridge.link.events import Event
from firmware_bridge.link.faults import FaultRates, Faults
from firmware_bridge.link.host import Host


class Wire:
    """One direction: bytes leave one after the other and arrive a latency later."""

    def __init__(self, baud: int, latency_us: int, faults: Faults) -> None:
        self.byte_us = 10e6 / baud
        self.latency_us = latency_us
        self.faults = faults
        self.free_us = 0.0
        self.bytes = 0

    def write(self, data: bytes, now_us: float) -> list[tuple[float, bytes]]:
        """When which bytes arrive."""
        self.bytes += len(data)
        self.free_us = max(self.free_us, now_us) + len(data) * self.byte_us
        arrive_us = self.free_us + self.latency_us
        return [
            (arrive_us + delay_ms * 1000, piece) for delay_ms, piece in self.faults.transmit(data)
        ]


class SerialLine:
    """A host and a device with a line between them."""

    def __init__(
        self,
        host: Host,
        device: Device,
        on_host: Callable[[Event], None],
        on_device: Callable[[Event], None],
        *,
        rates: FaultRates | None = None,
        seed: int = 0,
        baud: int = 921_600,
        latency_us: int = 1000,
    ) -> None:
        random, rates = Random(seed), rates or FaultRates()
        self.now_us = 0.0
        self.ends = (host, device)
        self.handlers = (on_host, on_device)
        self.wires = tuple(Wire(baud, latency_us, Faults(rates, random)) for _ in range(2))
        self._arrivals: list[tuple[float, int, int, bytes]] = []
        self._order = count()

    @property
    def now_ms(self) -> int:
        return int(self.now_us / 1000)

    def settle(self) -> None:
        """Let both ends do what is due, and carry what they write; frame by frame."""
        for number, end in enumerate(self.ends):
            for event in end.poll(self.now_ms):
                self.handlers[number](event)
            data = end.take_output()
            for frame in data.split(b"\0"):
                if frame:
                    arrivals = self.wires[number].write(b"\0" + frame + b"\0", self.now_us)
                    for at_us, piece in arrivals:
                        entry = (at_us, next(self._order), 1 - number, piece)
                        heapq.heappush(self._arrivals, entry)

    def step(self) -> None:
        """Go on to the next arrival or timer."""
        self.settle()
        timers = [end.next_ms * 1000 for end in self.ends if end.next_ms is not None]
        next_us = min([*timers, *(entry[0] for entry in self._arrivals[:1])])
        self.now_us = max(self.now_us, next_us)
        while self._arrivals and self._arrivals[0][0] <= self.now_us:
            _, _, number, data = heapq.heappop(self._arrivals)
            for event in self.ends[number].receive(data, self.now_ms):
                self.handlers[number](event)

    def run(self, is_done: Callable[[], bool], limit_s: float) -> None:
        """Step until done; a line that does not get there in virtual time has failed."""
        while not is_done():
            assert self.now_us < limit_s * 1e6, "the line does not finish"
            self.step()
