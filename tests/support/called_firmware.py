"""Calls of a host to the firmware over a simulated line, and whether each was done just once."""

import hashlib
from dataclasses import dataclass, field
from itertools import count
from random import Random

import numpy as np

from firmware_bridge.calls.client import Client, ClientEvent, Down, Expired, Replied, Up
from firmware_bridge.calls.methods import (
    CallStatus,
    Method,
    Stat,
    pack_bench,
    pack_infer,
    unpack_outputs,
)
from firmware_bridge.calls.upload import Phase, Upload
from firmware_bridge.link.faults import FaultRates
from firmware_bridge.link.host import Host
from tests.support.engine import Engine
from tests.support.engine_cases_state import remembering
from tests.support.serial_line import SerialLine
from tests.support.virtual_firmware import VirtualFirmware
from toolchain.lowering.lower import lower
from toolchain.plan.encode import encode
from toolchain.tflite.reader import read

NEVER_MS = 10**9
BENCH_SHARE = 0.02


@dataclass
class Called:
    """A host that asks again and again: a model that remembers what it was asked, so that a call
    that is done twice, or not, changes all answers behind it."""

    rates: FaultRates
    seed: int
    answers: int = 0
    stats: int = 0
    sessions: int = 0
    ended: int = 0
    wrong: list[str] = field(default_factory=list)
    _open: dict[int, bytes | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        nonces = count(self.seed * 1_000_000 + 1)
        self.client = Client(Host(lambda: next(nonces)), self.seed)
        self.firmware = VirtualFirmware(self.seed ^ 0xB007)
        self.line = SerialLine(
            self.client,
            self.firmware,
            self._on_host,
            lambda event: None,
            rates=self.rates,
            seed=self.seed,
        )
        self._random = Random(self.seed)
        model = remembering()
        self._plan = encode(lower(read(model)))
        self._sha256 = hashlib.sha256(self._plan).digest()
        self._engine = Engine(self._plan)
        self._upload = Upload(self.client, self._plan, self._sha256)

    def run(self, calls: int) -> None:
        """Bring the plan there, then have so many calls answered."""
        self._upload.start(0)
        self.line.run(lambda: self._upload.phase is Phase.DONE, limit_s=600)
        self._infer()
        self._ask(Method.STAT, b"", None)
        self.line.run(lambda: self.answers >= calls, limit_s=calls * 1.0 + 60)

    def lose_session(self, direction: int) -> None:
        """Cut one of the two wires until the session is over, then mend it."""
        faults, ended = self.line.wires[direction].faults, self.ended
        faults.transmit = lambda data: []
        self.line.run(lambda: self.ended > ended, limit_s=self.line.now_us / 1e6 + 60)
        del faults.transmit

    def do_one_more(self) -> None:
        """Run the oracle behind the device's back, as if a call had been done twice."""
        self._engine.run([np.ones((1, 1, 3), np.int8)])

    def _infer(self) -> None:
        if self._random.random() < BENCH_SHARE:  # it writes zeros into the model's memory
            self._ask(Method.BENCH, pack_bench(self._sha256, 1), b"bench")
            self._engine.run([np.zeros((1, 1, 3), np.int8)])
            return
        values = np.frombuffer(self._random.randbytes(3), np.int8).reshape(1, 1, 3)
        [expected] = self._engine.run([values])
        self._ask(Method.INFER, pack_infer(self._sha256, values.tobytes()), expected.tobytes())

    def _ask(self, method: Method, body: bytes, expected: bytes | None) -> None:
        self._open[self.client.call(method, body, self.line.now_ms, NEVER_MS)] = expected

    def _on_host(self, event: ClientEvent) -> None:
        if isinstance(event, Up):
            self.sessions += 1
        self.ended += isinstance(event, Down)
        if not isinstance(event, Replied | Expired):
            return
        if self._upload.handle(event, self.line.now_ms):
            return
        expected = self._open.pop(event.number)
        assert isinstance(event, Replied)
        if event.status is not CallStatus.OK:
            self.wrong.append(f"{event.status.name} to {event.number}")
        if expected is None:
            assert Stat.unpack(event.body).firmware_version == 1
            self.stats += 1
            self._ask(Method.STAT, b"", None)
            return
        self.answers += 1
        if expected != b"bench" and unpack_outputs(event.body)[1] != expected:
            self.wrong.append(f"call {event.number}: {event.body[8:].hex()} not {expected.hex()}")
        self._infer()
