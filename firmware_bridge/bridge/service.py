"""The bridge between programs and devices, without I/O: messages in, messages out."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator

from firmware_bridge.bridge.jobs import Job, Verdict
from firmware_bridge.bridge.pool import Pool
from firmware_bridge.bridge.protocol import (
    MAX_PLAN_BYTES,
    Distrust,
    Infer,
    Load,
    Message,
    Report,
    Status,
    Told,
)
from firmware_bridge.bridge.report import report
from firmware_bridge.errors import RecordError

MAX_STORE_BYTES = 4 * MAX_PLAN_BYTES
MAX_OPEN = 16
"""Jobs of one program at a time."""


class Service:
    """What a bridge does for its clients, which are numbers here."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._plans: dict[bytes, bytes] = {}
        self._open: Counter[int] = Counter()

    def handle(self, client: int, message: Message, now_ms: int) -> Iterator[tuple[int, Message]]:
        """Take a message; yields what must be said at once, and to whom.

        Raises:
            RecordError: a program does not say this.
        """
        match message:
            case Load():
                self._keep(message.plan)
            case Infer():
                yield from self._infer(client, message, now_ms)
            case Distrust():
                self.pool.distrust(message.name, now_ms)
            case Status():
                text = json.dumps(self.reports(), separators=(",", ":"))
                yield client, Report(text.encode())
            case _:
                raise RecordError(f"a program says {type(message).__name__}")
        yield from self.outcomes()

    def outcomes(self) -> Iterator[tuple[int, Message]]:
        """Yield what became of jobs, and whom to tell; some may be gone."""
        for outcome in self.pool.take_outcomes():
            client = outcome.token[0]
            if client in self._open:
                self._open[client] -= 1
            yield client, Told.of(outcome)

    def reports(self) -> dict[str, object]:
        """Describe every device."""
        return {name: report(device) for name, device in self.pool.devices.items()}

    def gone(self, client: int) -> None:
        """A program left; what it asked for is still done, and told to nobody."""
        self._open.pop(client, None)

    def _keep(self, plan: bytes) -> None:
        """Keep a plan for uploads; the oldest go when there are too many."""
        sha256 = hashlib.sha256(plan).digest()
        self._plans.pop(sha256, None)
        self._plans[sha256] = plan
        while sum(map(len, self._plans.values())) > MAX_STORE_BYTES:
            del self._plans[next(iter(self._plans))]

    def _infer(self, client: int, asked: Infer, now_ms: int) -> Iterator[tuple[int, Message]]:
        if self._open[client] >= MAX_OPEN:
            yield client, Told(asked.number, Verdict.BUSY)
        else:
            self._open[client] += 1
            token, expires_ms = (client, asked.number), now_ms + asked.deadline_ms
            job = Job(token, asked.variants, asked.inputs, asked.output_bytes, expires_ms)
            self.pool.submit(job, self._plans, now_ms)
