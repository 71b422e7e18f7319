"""What programs and the bridge say to each other over its socket: length, kind, fields.

`u32 length · u8 kind · body`, little-endian. A program writes LOAD, INFER, DISTRUST and STATUS; the
bridge answers INFER with OUTCOME and STATUS with REPORT, in any order.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar

from firmware_bridge.bridge.jobs import Outcome, Verdict
from firmware_bridge.bridge.variants import Variants
from firmware_bridge.errors import RecordError

MAX_PLAN_BYTES = 8 << 20
MAX_TENSOR_BYTES = 1 << 20
MAX_BODY_BYTES = MAX_PLAN_BYTES
MAX_DEADLINE_MS = 60_000
MAX_NAME_BYTES = 64
_LENGTH = struct.Struct("<I")
_INFER = struct.Struct("<III")
_OUTCOME = struct.Struct("<IBIQB")


@dataclass(frozen=True, slots=True)
class Load:
    """Here is a plan; INFER names it by its sha256, and an outcome may ask for it."""

    kind: ClassVar[int] = 1
    plan: bytes

    def pack(self) -> bytes:
        """Write the body."""
        return self.plan

    @classmethod
    def unpack(cls, body: bytes) -> "Load":
        """Read a body."""
        return cls(body)


@dataclass(frozen=True, slots=True)
class Infer:
    """Run a model on a device, with the plan for its kernels.

    Attributes:
        number: comes back in the outcome.
        deadline_ms: from now on.
    """

    kind: ClassVar[int] = 2
    number: int
    variants: Variants
    deadline_ms: int
    output_bytes: int
    inputs: bytes

    def pack(self) -> bytes:
        """Write the body."""
        head = _INFER.pack(self.number, self.deadline_ms, self.output_bytes)
        return head + self.variants.pack() + self.inputs

    @classmethod
    def unpack(cls, body: bytes) -> "Infer":
        """Read a body."""
        if len(body) < _INFER.size:
            raise RecordError(f"INFER of {len(body)} bytes")
        number, deadline_ms, output_bytes = _INFER.unpack_from(body)
        if not 1 <= deadline_ms <= MAX_DEADLINE_MS or output_bytes > MAX_TENSOR_BYTES:
            raise RecordError(f"INFER in {deadline_ms} ms for {output_bytes} bytes of outputs")
        variants, inputs = Variants.unpack(body[_INFER.size :])
        if len(inputs) > MAX_TENSOR_BYTES:
            raise RecordError(f"INFER of {len(inputs)} bytes of inputs")
        return cls(number, variants, deadline_ms, output_bytes, inputs)


@dataclass(frozen=True, slots=True)
class Distrust:
    """A device's answer was shown to be wrong."""

    kind: ClassVar[int] = 3
    name: str

    def pack(self) -> bytes:
        """Write the body."""
        return self.name.encode()

    @classmethod
    def unpack(cls, body: bytes) -> "Distrust":
        """Read a body."""
        return cls(_name(body))


@dataclass(frozen=True, slots=True)
class Status:
    """How are the devices?"""

    kind: ClassVar[int] = 4

    def pack(self) -> bytes:
        """Write the body."""
        return b""

    @classmethod
    def unpack(cls, body: bytes) -> "Status":
        """Read a body."""
        if body:
            raise RecordError(f"STATUS of {len(body)} bytes")
        return cls()


@dataclass(frozen=True, slots=True)
class Told:
    """The outcome of an INFER; `where` and `outputs` are empty unless it went well.

    With UNKNOWN_PLAN `outputs` is the sha256 of the plan to LOAD.
    """

    kind: ClassVar[int] = 5
    number: int
    verdict: Verdict
    epoch: int = 0
    ticks: int = 0
    where: str = ""
    outputs: bytes = b""

    @classmethod
    def of(cls, outcome: Outcome) -> "Told":
        """What a program is told of an outcome."""
        head = (outcome.token[1], outcome.verdict, outcome.epoch, outcome.ticks)
        return cls(*head, outcome.where, outcome.outputs)

    def pack(self) -> bytes:
        """Write the body."""
        name = self.where.encode()
        head = _OUTCOME.pack(self.number, self.verdict, self.epoch, self.ticks, len(name))
        return head + name + self.outputs

    @classmethod
    def unpack(cls, body: bytes) -> "Told":
        """Read a body."""
        if len(body) < _OUTCOME.size:
            raise RecordError(f"OUTCOME of {len(body)} bytes")
        number, verdict, epoch, ticks, length = _OUTCOME.unpack_from(body)
        end = _OUTCOME.size + length
        if verdict >= len(Verdict) or len(body) > end + MAX_TENSOR_BYTES:
            raise RecordError(f"OUTCOME {verdict} of {len(body)} bytes")
        if end > len(body):
            raise RecordError(f"OUTCOME with a name of {length} bytes in {len(body)}")
        where = _name(body[_OUTCOME.size : end])
        return cls(number, Verdict(verdict), epoch, ticks, where, body[end:])


@dataclass(frozen=True, slots=True)
class Report:
    """How the devices are: a JSON object by name."""

    kind: ClassVar[int] = 6
    text: bytes

    def pack(self) -> bytes:
        """Write the body."""
        return self.text

    @classmethod
    def unpack(cls, body: bytes) -> "Report":
        """Read a body."""
        return cls(body)


Message = Load | Infer | Distrust | Status | Told | Report
_KINDS: dict[int, type[Message]] = {
    one.kind: one for one in (Load, Infer, Distrust, Status, Told, Report)
}


def pack(message: Message) -> bytes:
    """Write a message with its length and kind."""
    body = message.pack()
    return _LENGTH.pack(1 + len(body)) + bytes([message.kind]) + body


class Messages:
    """Cuts what comes over a socket into messages, holding at most one."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def receive(self, data: bytes) -> list[Message]:
        """Return the messages that `data` completes.

        Raises:
            RecordError: a length above the limit, or no message; the stream is lost.
        """
        self._rest += data
        found: list[Message] = []
        at = 0
        while len(self._rest) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._rest, at)
            if not 1 <= length <= 1 + MAX_BODY_BYTES:
                raise RecordError(f"a message of {length} bytes; the limit is {MAX_BODY_BYTES}")
            start = at + _LENGTH.size
            if len(self._rest) < start + length:
                break
            kind = _KINDS.get(self._rest[start])
            if kind is None:
                raise RecordError(f"a message of kind {self._rest[start]}")
            found.append(kind.unpack(bytes(self._rest[start + 1 : start + length])))
            at = start + length
        del self._rest[:at]
        return found


def _name(raw: bytes) -> str:
    if len(raw) > MAX_NAME_BYTES or not raw.isascii():
        raise RecordError(f"a device's name of {len(raw)} bytes")
    return raw.decode("ascii")
