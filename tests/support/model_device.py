"""A device in Python that keeps the protocol, and, when told to, breaks it."""

import hashlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from firmware_bridge.calls.methods import CallStatus, Method
from firmware_bridge.link.conversation import Fragment
from firmware_bridge.link.device import Device
from firmware_bridge.link.opening import About

STAT_BYTES = 52


def computed(sha256: bytes, inputs: bytes) -> bytes:
    """What the plan makes of its inputs, here: something that no other plan or input gives."""
    return hashlib.sha256(sha256[:8] + inputs).digest()[:8]


@dataclass
class ModelDevice:
    """Used like `Device`; `manner` is how it answers INFER, `run_ms` how long that takes.

    Manners: right, silent, wrong (right length), garbage (wrong length), noise (no frame), twice,
    other (another call's number), late (after the next call came), failed (a status).
    """

    boot_nonce: int = 1
    manner: str = "right"
    run_ms: int = 2
    room: int = 8
    store_bytes: int = 1 << 20
    refuses: bytes = b""
    target: int = 0
    plans: dict[bytes, bytes] = field(default_factory=dict)
    inferred: int = 0
    chunks: int = 0
    is_powered: bool = True
    compute: Callable[[bytes, bytes], bytes] = computed
    _parts: dict[bytes, bytearray] = field(default_factory=dict)
    _open: bytes = b""
    _request: bytearray = field(default_factory=bytearray)
    _due: deque[tuple[int, int, bytes]] = field(default_factory=deque)
    _held: bytes | None = None
    _noise: bytes = b""

    def __post_init__(self) -> None:
        self._boot()

    def _boot(self) -> None:
        ids = tuple(self.plans)
        about = About(
            "model", bytes(8), 1 << 16, self.store_bytes, 1_000_000, plans=ids, target=self.target
        )
        self.link = Device(self.boot_nonce, about)

    def restart(self, now_ms: int) -> None:
        """Power off and on: plans are gone."""
        self.boot_nonce += 1
        self.plans.clear()
        self._parts.clear()
        self._due.clear()
        self._boot()
        self.link.start(now_ms)

    def receive(self, data: bytes, now_ms: int) -> None:
        if not self.is_powered:
            return
        for event in self.link.receive(data, now_ms):
            if isinstance(event, Fragment):
                self._request += event.payload
                if event.is_last:
                    request, self._request = bytes(self._request), bytearray()
                    self._call(Method(event.method), request[:4], request[4:], now_ms)

    def poll(self, now_ms: int) -> bytes:
        """Do what is due; returns what is written to the line."""
        if not self.is_powered:
            return b""
        while self._due and self._due[0][0] <= now_ms:
            _, method, reply = self._due.popleft()
            self.link.send(method, reply)
        self.link.poll(now_ms)
        noise, self._noise = self._noise, b""
        return noise + self.link.take_output()

    def _call(self, method: Method, number: bytes, body: bytes, now_ms: int) -> None:
        if method is Method.INFER:
            self._infer(number, body, now_ms)
            return
        status, reply = self._answer(method, body)
        self._due.append((now_ms, method, number + bytes([status, 0, 0, 0]) + reply))

    def _answer(self, method: Method, body: bytes) -> tuple[int, bytes]:
        number = int.from_bytes(body[:4], "little")
        match method:
            case Method.STAT:
                return CallStatus.OK, bytes(STAT_BYTES)
            case Method.PLAN_BEGIN:
                if len(self.plans) >= self.room:
                    return CallStatus.NO_ROOM, b""
                self._open = body[:32]
                part = self._parts.setdefault(self._open, bytearray())
                return CallStatus.OK, len(part).to_bytes(4, "little")
            case Method.PLAN_CHUNK:
                self.chunks += 1
                part = self._parts[self._open]
                if number != len(part):
                    return CallStatus.BAD_OFFSET, b""
                part += body[4:]
                return CallStatus.OK, len(part).to_bytes(4, "little")
            case Method.PLAN_COMMIT:
                plan = bytes(self._parts.pop(body[:32]))
                if plan == self.refuses:
                    return CallStatus.PLAN_REFUSED, b"\2"
                if hashlib.sha256(plan).digest() != body:
                    return CallStatus.WRONG_HASH, b""
                self.plans[body[:8]] = plan
                return CallStatus.OK, bytes(12)
            case Method.PLAN_DROP:
                known = self.plans.pop(body, None) is not None
                return (CallStatus.OK if known else CallStatus.NO_PLAN), b""
        return CallStatus.UNKNOWN, b""

    def _infer(self, number: bytes, body: bytes, now_ms: int) -> None:
        self.inferred += 1
        status = CallStatus.OK if body[:8] in self.plans else CallStatus.NO_PLAN
        if self.manner == "failed":
            status = CallStatus.FAILED
        outputs = self.compute(body[:8], body[8:])
        if self.manner == "wrong":
            outputs = outputs[::-1]
        elif self.manner == "garbage":
            outputs += b"!"
        reply = bytes([status, 0, 0, 0]) + (bytes(8) + outputs if not status else b"")
        held, self._held = self._held, None
        at_ms = now_ms + self.run_ms
        if held is not None:
            self._due.append((at_ms, Method.INFER, held))
        if self.manner == "late":
            self._held = number + reply
        elif self.manner == "other":
            self._due.append((at_ms, Method.INFER, bytes([number[0] ^ 1]) + number[1:] + reply))
        elif self.manner == "noise":
            self._noise = b"\0" + bytes(range(1, 200)) + b"\0"
        elif self.manner != "silent":
            self._due.append((at_ms, Method.INFER, number + reply))
            if self.manner == "twice":
                self._due.append((at_ms, Method.INFER, number + reply))
