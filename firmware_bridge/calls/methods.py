"""The methods of a device: numbers, requests and replies (docs/reference/wire.md)."""

import struct
from dataclasses import dataclass
from enum import IntEnum

from firmware_bridge.errors import RecordError
from firmware_bridge.link.opening import PLAN_ID_BYTES

SHA256_BYTES = 32
MAX_OPERATORS = 256


class Method(IntEnum):
    """What a device can be asked."""

    STAT = 1
    PLAN_BEGIN = 2
    PLAN_CHUNK = 3
    PLAN_COMMIT = 4
    PLAN_DROP = 5
    INFER = 6
    BENCH = 7
    RESTART = 8
    FAULT = 9


AT_MOST_ONCE = frozenset({Method.INFER, Method.BENCH, Method.RESTART, Method.FAULT})
"""Methods that must not be done twice for one call."""


class CallStatus(IntEnum):
    """How a device answers a call; `Expired` and the like are the host's own."""

    OK = 0
    UNKNOWN = 1
    BAD_REQUEST = 2
    NO_PLAN = 3
    NO_ROOM = 4
    BAD_OFFSET = 5
    WRONG_HASH = 6
    PLAN_REFUSED = 7
    BUSY = 8
    NOT_BUILT_IN = 9
    FAILED = 10


RESET_CAUSES = ("power on", "restarted", "fault", "watchdog")
FAULT_KINDS = ("none", "hard fault", "bus fault", "memory fault", "usage fault", "hang")
_STAT = struct.Struct("<IIIIIIIHBBIIIII")


@dataclass(frozen=True, slots=True)
class Stat:
    """What a device tells of itself.

    Attributes:
        fault_kind: of the crash before its last start; an index of `FAULT_KINDS`.
        code_bytes: text and read-only data of the firmware.
    """

    uptime_ms: int
    stack_bytes: int
    stack_high_water_bytes: int
    frames_in: int
    frames_damaged: int
    calls: int
    bytes_lost: int
    firmware_version: int
    reset_cause: int
    fault_kind: int
    fault_pc: int
    fault_lr: int
    fault_status: int
    free_store_bytes: int
    code_bytes: int

    @classmethod
    def unpack(cls, body: bytes) -> "Stat":
        """Read the reply to STAT.

        Raises:
            RecordError: it is none.
        """
        if len(body) != _STAT.size:
            raise RecordError(f"the reply to STAT has {len(body)} bytes, not {_STAT.size}")
        return cls(*_STAT.unpack(body))

    @property
    def fault(self) -> str:
        """The last crash for people; empty if there was none."""
        if not self.fault_kind:
            return ""
        known = self.fault_kind < len(FAULT_KINDS)
        kind = FAULT_KINDS[self.fault_kind] if known else f"fault {self.fault_kind}"
        return f"{kind} at {self.fault_pc:#010x}"


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a committed plan needs."""

    arena_bytes: int
    input_bytes: int
    output_bytes: int

    @classmethod
    def unpack(cls, body: bytes) -> "Sizes":
        """Read the reply to PLAN_COMMIT.

        Raises:
            RecordError: it is none.
        """
        return cls(*_numbers(body, 3, "PLAN_COMMIT"))


@dataclass(frozen=True, slots=True)
class Timing:
    """The reply to BENCH: ticks of one run, and of each of its operators."""

    ticks: int
    stack_high_water_bytes: int
    operator_ticks: tuple[int, ...]

    @classmethod
    def unpack(cls, body: bytes) -> "Timing":
        """Read the reply to BENCH.

        Raises:
            RecordError: it is none.
        """
        if len(body) < 16 or len(body) % 4:
            raise RecordError(f"the reply to BENCH has {len(body)} bytes")
        ticks, high_water, count = struct.unpack_from("<QII", body)
        if count > MAX_OPERATORS or len(body) != 16 + 4 * count:
            raise RecordError(f"the reply to BENCH has {len(body)} bytes for {count} operators")
        return cls(ticks, high_water, struct.unpack_from(f"<{count}I", body, 16))


def pack_begin(sha256: bytes, length: int) -> bytes:
    """The body of PLAN_BEGIN."""
    return sha256 + struct.pack("<I", length)


def pack_chunk(offset: int, data: bytes) -> bytes:
    """The body of PLAN_CHUNK."""
    return struct.pack("<I", offset) + data


def pack_bench(sha256: bytes, runs: int) -> bytes:
    """The body of BENCH."""
    return sha256[:PLAN_ID_BYTES] + struct.pack("<I", runs)


def pack_infer(sha256: bytes, inputs: bytes) -> bytes:
    """The body of INFER."""
    return sha256[:PLAN_ID_BYTES] + inputs


def unpack_offset(body: bytes) -> int:
    """The reply to PLAN_BEGIN and PLAN_CHUNK.

    Raises:
        RecordError: it is none.
    """
    return _numbers(body, 1, "a chunk")[0]


def unpack_outputs(body: bytes) -> tuple[int, bytes]:
    """The reply to INFER: ticks, and the outputs one behind the other.

    Raises:
        RecordError: it is none.
    """
    if len(body) < 8:
        raise RecordError(f"the reply to INFER has {len(body)} bytes")
    return int.from_bytes(body[:8], "little"), body[8:]


def _numbers(body: bytes, count: int, what: str) -> tuple[int, ...]:
    if len(body) != 4 * count:
        raise RecordError(f"the reply to {what} has {len(body)} bytes, not {4 * count}")
    return struct.unpack(f"<{count}I", body)
