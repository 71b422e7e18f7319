"""Brings a plan to a device: begins where it stopped, keeps the line full, commits."""

from dataclasses import dataclass, field
from enum import Enum

from firmware_bridge.calls.client import Client, Expired, Replied
from firmware_bridge.calls.methods import (
    CallStatus,
    Method,
    Sizes,
    pack_begin,
    pack_chunk,
    unpack_offset,
)

CHUNK_BYTES = 1400
"""About four of the longest frames: little is sent twice after a session's end."""
AHEAD = 4
DEADLINE_MS = 20_000
MAX_BEGINNINGS = 20


class Phase(Enum):
    """How far an upload is."""

    BEGIN = "begin"
    CHUNKS = "chunks"
    COMMIT = "commit"
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True)
class Upload:
    """One plan on its way; feed it the client's events, look at `phase`.

    Attributes:
        stored: bytes that the device has.
        refusal: why it failed.
        status: the device's own word, if it failed by one.
        detail: its engine's status, if it failed by that.
        sizes: what the plan needs, once done.
    """

    client: Client
    plan: bytes
    sha256: bytes
    phase: Phase = Phase.BEGIN
    stored: int = 0
    refusal: str = ""
    status: CallStatus = CallStatus.OK
    detail: int = 0
    sizes: Sizes | None = None
    _sent: int = 0
    _beginnings: int = 0
    _open: dict[int, Method] = field(default_factory=dict)

    def start(self, now_ms: int) -> None:
        """Ask where to begin."""
        self._drop_open()
        self._beginnings += 1
        if self._beginnings > MAX_BEGINNINGS:
            self._fail(f"the device lost its place {MAX_BEGINNINGS} times")
            return
        self.phase = Phase.BEGIN
        self._ask(Method.PLAN_BEGIN, pack_begin(self.sha256, len(self.plan)), now_ms)

    def handle(self, event: Replied | Expired, now_ms: int) -> bool:
        """Take an event; False if it belongs to another.

        Raises:
            RecordError: the device's reply is none.
        """
        method = self._open.pop(event.number, None)
        if method is None:
            return False
        if isinstance(event, Expired):
            self._fail("the device did not answer in time")
        elif event.status is CallStatus.BAD_OFFSET:
            self.start(now_ms)
        elif event.status is not CallStatus.OK:
            self.status = event.status
            self.detail = event.body[0] if event.body else 0
            detail = f" (engine status {self.detail})" if self.detail else ""
            self._fail(f"the device answered {event.status.name} to {method.name}{detail}")
        elif method is Method.PLAN_COMMIT:
            self.sizes, self.phase = Sizes.unpack(event.body), Phase.DONE
        else:
            self._go_on(method, unpack_offset(event.body), now_ms)
        return True

    def abandon(self) -> None:
        """Go no further; the device keeps what it has, for the next upload of the same plan."""
        self._drop_open()

    def _go_on(self, method: Method, offset: int, now_ms: int) -> None:
        if offset > len(self.plan) or offset < self.stored * (method is Method.PLAN_CHUNK):
            self._fail(f"the device claims to have {offset} of {len(self.plan)} bytes")
            return
        self.stored = offset
        if method is Method.PLAN_BEGIN:
            self._sent, self.phase = offset, Phase.CHUNKS
        while self._sent < len(self.plan) and len(self._open) < AHEAD:
            chunk = self.plan[self._sent : self._sent + CHUNK_BYTES]
            self._ask(Method.PLAN_CHUNK, pack_chunk(self._sent, chunk), now_ms)
            self._sent += len(chunk)
        if self.stored == len(self.plan) and not self._open:
            self.phase = Phase.COMMIT
            self._ask(Method.PLAN_COMMIT, self.sha256, now_ms)

    def _ask(self, method: Method, body: bytes, now_ms: int) -> None:
        self._open[self.client.call(method, body, now_ms, DEADLINE_MS)] = method

    def _fail(self, refusal: str) -> None:
        self._drop_open()
        self.phase, self.refusal = Phase.FAILED, refusal

    def _drop_open(self) -> None:
        for number in self._open:
            self.client.forget(number)
        self._open.clear()
