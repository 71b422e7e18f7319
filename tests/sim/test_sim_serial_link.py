"""Calls and uploads over a simulated line of 921,600 baud and 1 ms, with and without damage."""

from itertools import count

import pytest

from firmware_bridge.link.conversation import Fragment
from firmware_bridge.link.device import Device
from firmware_bridge.link.events import Closed, Event, Opened
from firmware_bridge.link.faults import FaultRates
from firmware_bridge.link.host import Host
from tests.support.serial_line import SerialLine


class Upload:
    """Chunks in order; after a session's end it goes on from what arrived."""

    def __init__(self, data: bytes, rates: FaultRates, seed: int) -> None:
        self.data, self.stored, self.sent, self.open_chunks = data, bytearray(), 0, 0
        self.message = bytearray()
        self.sessions = 0
        nonces = count(1)
        self.host, self.device = Host(lambda: next(nonces)), Device(77)
        self.line = SerialLine(
            self.host, self.device, self.on_host, self.on_device, rates=rates, seed=seed
        )

    def feed(self) -> None:
        while self.sent < len(self.data) and self.open_chunks < 6:
            chunk = self.data[self.sent : self.sent + 1400]
            if not self.host.send(3, self.sent.to_bytes(8, "little") + chunk):
                return
            self.sent += len(chunk)
            self.open_chunks += 1

    def on_host(self, event: Event) -> None:
        if isinstance(event, Opened):
            self.sessions += 1
            self.sent, self.open_chunks = len(self.stored), 0
            self.feed()
        elif isinstance(event, Fragment):
            self.open_chunks -= 1
            self.feed()

    def on_device(self, event: Event) -> None:
        if not isinstance(event, Fragment):
            self.message.clear()
            return
        self.message += event.payload
        if event.is_last:
            if int.from_bytes(self.message[:8], "little") == len(self.stored):
                self.stored += self.message[8:]
            self.message.clear()
            self.device.send(3, bytes(12))

    def run(self) -> float:
        """Share of the line's rate that arrived as data."""
        self.line.run(lambda: len(self.stored) == len(self.data), limit_s=900)
        assert bytes(self.stored) == self.data
        return len(self.data) * 10e6 / 921_600 / self.line.now_us


@pytest.mark.parametrize(("corrupt", "least"), [(0.0, 0.90), (1e-4, 0.75)])
def test_an_upload_gets_its_share_of_the_line(corrupt, least):
    """Virtual time: the figure depends on nothing but the protocol."""
    data = bytes(i * 31 & 255 for i in range(300_000))
    shares = [Upload(data, FaultRates(corrupt=corrupt), seed).run() for seed in range(3)]
    print(f"byte errors {corrupt:g}: {', '.join(f'{share:.3f}' for share in shares)} of the rate")
    assert min(shares) >= least


@pytest.mark.parametrize(
    "rates",
    [
        FaultRates(corrupt=1e-2),
        FaultRates(drop=3e-3, split=0.3),
        FaultRates(duplicate=0.1, delay=0.05, delay_ms=80),
        FaultRates(corrupt=1e-3, drop=1e-3, duplicate=0.05, delay=0.02, split=0.2),
    ],
)
def test_a_bad_line_still_finishes(rates):
    upload = Upload(bytes(i * 13 & 255 for i in range(12_000)), rates, seed=5)
    upload.run()
    print(f"{rates}: {upload.line.now_us / 1e6:.1f} s, {upload.sessions} sessions")


def test_a_device_that_restarts_is_found_again():
    nonces = count(1)
    host, told = Host(lambda: next(nonces)), []
    line = SerialLine(host, Device(7), told.append, lambda event: None)
    line.run(lambda: len(told) == 1, limit_s=1)
    restarted = Device(8)
    restarted.start(line.now_ms)
    line.ends = (host, restarted)
    line.run(lambda: len(told) == 3, limit_s=2)
    assert [type(event) for event in told] == [Opened, Closed, Opened]
    assert told[2].terms.boot_nonce == 8


def test_a_dead_device_ends_the_session_after_five_expiries():
    nonces = count(1)
    host, told = Host(lambda: next(nonces)), []
    line = SerialLine(host, Device(7), told.append, lambda event: None)
    line.run(lambda: len(told) == 1, limit_s=1)
    line.wires[1].faults = type(line.wires[1].faults)(FaultRates(drop=1.0), None)
    line.wires[1].faults.transmit = lambda data: []
    host.send(1, b"are you there")
    line.run(lambda: len(told) == 2, limit_s=8)
    assert isinstance(told[1], Closed)


def test_a_lost_reset_is_said_again_to_a_host_that_only_waits():
    """All that it sent is acknowledged, and the answer never comes: no timer of delivery runs."""
    nonces = count(1)
    host, told = Host(lambda: next(nonces)), []
    line = SerialLine(host, Device(7), told.append, lambda event: None)
    line.run(lambda: len(told) == 1, limit_s=1)
    host.send(1, b"what is it")
    line.run(lambda: host.is_idle, limit_s=2)
    line.ends = (host, Device(8))  # it restarts without a word
    line.run(lambda: len(told) == 3, limit_s=4)
    assert [type(event) for event in told] == [Opened, Closed, Opened]
