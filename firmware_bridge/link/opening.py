"""The records that open and end a session."""

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

from firmware_bridge.errors import RecordError
from firmware_bridge.link.frame import MAX_PAYLOAD_BYTES, MIN_PAYLOAD_BYTES, VERSION

MAX_WINDOW = 8
MAX_PLANS = 8
PLAN_ID_BYTES = 8
_HELLO = struct.Struct("<BBBBHHI")
_WELCOME = struct.Struct("<BBBBHHIIIII8s16s")
_RESET = struct.Struct("<BI")


class Reason(IntEnum):
    """Why a session is over."""

    NO_SESSION = 1
    RETRIES = 2
    VERSION = 3
    RESTARTING = 4
    BAD_MESSAGE = 5


@dataclass(frozen=True, slots=True)
class Hello:
    """What a host asks for."""

    nonce: int
    window: int = 4
    payload_bytes: int = MAX_PAYLOAD_BYTES
    lowest: int = VERSION
    highest: int = VERSION

    def pack(self) -> bytes:
        """Write the payload of a HELLO."""
        limits = (self.lowest, self.highest, self.window, 0, self.payload_bytes, 0)
        return _HELLO.pack(*limits, self.nonce)

    @classmethod
    def unpack(cls, payload: bytes) -> "Hello":
        """Read the payload of a HELLO.

        Raises:
            RecordError: it is none.
        """
        if len(payload) != _HELLO.size:
            raise RecordError(f"HELLO of {len(payload)} bytes, not {_HELLO.size}")
        lowest, highest, window, _, payload_bytes, _, nonce = _HELLO.unpack(payload)
        _check_limits(window, payload_bytes)
        return cls(nonce, window, payload_bytes, lowest, highest)


@dataclass(frozen=True, slots=True)
class About:
    """What a device says of itself.

    Attributes:
        plans: the first bytes of the sha256 of each plan that it holds.
        target: whose packing of constants its kernels want; the number in the plan's header.
    """

    board: str = ""
    engine: bytes = bytes(8)
    arena_bytes: int = 0
    store_bytes: int = 0
    clock_hz: int = 0
    has_fault: bool = False
    plans: tuple[bytes, ...] = ()
    target: int = 0


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a device grants."""

    nonce: int
    boot_nonce: int
    window: int
    payload_bytes: int
    about: About
    version: int = VERSION

    def pack(self) -> bytes:
        """Write the payload of a WELCOME."""
        about = self.about
        plans = about.plans[:MAX_PLANS]
        head = _WELCOME.pack(
            self.version,
            self.window,
            about.has_fault,
            len(plans),
            self.payload_bytes,
            about.target,
            self.nonce,
            self.boot_nonce,
            about.arena_bytes,
            about.store_bytes,
            about.clock_hz,
            about.engine,
            about.board.encode(),
        )
        return head + b"".join(plans)

    @classmethod
    def unpack(cls, payload: bytes) -> "Welcome":
        """Read the payload of a WELCOME.

        Raises:
            RecordError: it is none.
        """
        if len(payload) < _WELCOME.size:
            raise RecordError(f"WELCOME of {len(payload)} bytes; at least {_WELCOME.size} are due")
        (
            version,
            window,
            fault,
            count,
            limit,
            kind,
            nonce,
            boot,
            arena,
            store,
            clock,
            engine,
            board,
        ) = _WELCOME.unpack_from(payload)
        if count > MAX_PLANS or len(payload) != _WELCOME.size + count * PLAN_ID_BYTES:
            raise RecordError(f"WELCOME of {len(payload)} bytes with {count} plans")
        _check_limits(window, limit)
        ids = payload[_WELCOME.size :]
        plans = tuple(ids[i : i + PLAN_ID_BYTES] for i in range(0, len(ids), PLAN_ID_BYTES))
        name = board.rstrip(b"\0").decode("ascii", "replace")
        about = About(name, engine, arena, store, clock, bool(fault), plans, kind)
        return cls(nonce, boot, window, limit, about, version)


def pack_reset(reason: Reason, boot_nonce: int) -> bytes:
    """Write the payload of a RESET."""
    return _RESET.pack(reason, boot_nonce)


def unpack_reset(payload: bytes) -> Reason:
    """Read the payload of a RESET.

    Raises:
        RecordError: it is none.
    """
    if len(payload) != _RESET.size or not 1 <= payload[0] <= len(Reason):
        raise RecordError(f"RESET {payload[:8].hex()} is unknown")
    return Reason(payload[0])


def session_number(nonce: int, boot_nonce: int) -> int:
    """The number that both sides' nonces make."""
    return zlib.crc32(struct.pack("<II", nonce, boot_nonce))


def _check_limits(window: int, payload_bytes: int) -> None:
    if not 1 <= window <= MAX_WINDOW:
        raise RecordError(f"a window of {window} frames; 1 to {MAX_WINDOW} are possible")
    if not MIN_PAYLOAD_BYTES <= payload_bytes <= MAX_PAYLOAD_BYTES:
        raise RecordError(f"a payload limit of {payload_bytes} bytes")
