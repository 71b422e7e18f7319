"""A pool and model devices on a virtual clock, with lines of one millisecond between them."""

import hashlib
from itertools import count

from firmware_bridge.bridge.jobs import Job, Outcome, Verdict
from firmware_bridge.bridge.pool import Pool
from firmware_bridge.bridge.variants import Offer, Variants
from firmware_bridge.calls.client import Client
from firmware_bridge.link.host import Host
from tests.support.model_device import ModelDevice, computed

PLAN = b"a plan " * 500
SHA256 = hashlib.sha256(PLAN).digest()


class Rig:
    """Devices by name, all attached at the start."""

    def __init__(self, **devices: ModelDevice) -> None:
        self.now_ms = 0
        self.devices = devices
        self.pool = Pool(devices)
        self.outcomes: dict[int, Outcome] = {}
        self.answered_ms: dict[int, int] = {}
        self._nonces = count(1)
        self._numbers = count()
        self.asked: dict[int, tuple[Variants, bytes]] = {}
        for name in devices:
            self.plug(name)

    def plug(self, name: str) -> None:
        host = Host(lambda: next(self._nonces))
        self.pool.devices[name].attach(Client(host, next(self._nonces) * 1000), f"/dev/{name}")

    def step(self) -> None:
        """A millisecond."""
        self.now_ms += 1
        self.pool.poll(self.now_ms)
        for name, device in self.devices.items():
            accelerator = self.pool.devices[name]
            to_host = device.poll(self.now_ms)
            to_device = accelerator.take_output()
            if to_host:
                accelerator.receive(to_host, self.now_ms)
            if to_device:
                device.receive(to_device, self.now_ms)
        self.collect()

    def collect(self) -> None:
        for outcome in self.pool.take_outcomes():
            number = outcome.token[1]
            assert number not in self.outcomes, "a job has one outcome"
            self.outcomes[number], self.answered_ms[number] = outcome, self.now_ms
            if outcome.verdict is Verdict.OK:
                variants, inputs = self.asked[number]
                target = self.devices[outcome.where].target
                assert outcome.outputs == computed(variants.plan_for(target), inputs)

    def run(self, ms: int) -> None:
        for _ in range(ms):
            self.step()

    def submit(self, deadline_ms: int = 100, plan: bytes = PLAN, offer: Offer | None = None) -> int:
        number = next(self._numbers)
        offer, inputs = offer or Offer.of(plan), number.to_bytes(4, "little")
        self.asked[number] = offer.variants, inputs
        job = Job((1, number), offer.variants, inputs, 8, self.now_ms + deadline_ms)
        self.pool.submit(job, offer.plans, self.now_ms)
        self.collect()
        return number

    def ask(
        self, deadline_ms: int = 100, plan: bytes = PLAN, offer: Offer | None = None
    ) -> Outcome:
        """One job from its beginning to its end."""
        began_ms, number = self.now_ms, self.submit(deadline_ms, plan, offer)
        while number not in self.outcomes:
            self.step()
        assert self.now_ms - began_ms <= deadline_ms, "an outcome comes within the deadline"
        return self.outcomes[number]

    def warm(self, plan: bytes = PLAN) -> None:
        """Until the plan is there and answers come."""
        for _ in range(200):
            if self.ask(plan=plan).verdict is Verdict.OK:
                return
            self.run(20)
        raise AssertionError("no device takes the plan")
