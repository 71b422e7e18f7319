"""The firmware as a library: the same C, on a clock and a line that are the test's."""

import ctypes
from functools import cache
from pathlib import Path

from firmware_bridge.firmware.build import BOARDS, Board, build
from firmware_bridge.link.frame import MAX_STUFFED_BYTES, Frame

ROOM_BYTES = 1 << 20
POLL_MS = 10
WIRE_BYTES = MAX_STUFFED_BYTES + 2
BOARDS["virtual"] = Board(
    folder=str(Path(__file__).with_name("virtual_port")),
    image="firmware.so",
    compiler="cc",
    kernels="portable",
    flags=(
        *("-g", "-O1", "-fPIC", "-fno-builtin"),
        *("-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"),
    ),
    linking=("-shared",),
    remedy="apt install gcc",
)


@cache
def _library() -> ctypes.CDLL:
    found = ctypes.CDLL(str(build("virtual")))
    found.virtual_start.argtypes = [ctypes.c_uint32, ctypes.c_uint32]
    found.virtual_exchange.argtypes = [
        *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_size_t)
    ]
    found.virtual_exchange.restype = ctypes.c_size_t
    return found


class _Frame(ctypes.Structure):
    """`sv_frame` of link/frame.h."""

    _fields_ = (
        *((name, ctypes.c_uint8) for name in ("type", "flags", "seq", "ack")),
        *((name, ctypes.c_uint16) for name in ("method", "length")),
        ("payload", ctypes.c_char_p),
    )


def c_encode(frame: Frame, session: int) -> bytes:
    """What the C codec writes."""
    head = (frame.type, frame.flags, frame.seq, frame.ack, frame.method, len(frame.payload))
    given = _Frame(*head, frame.payload)
    wire = ctypes.create_string_buffer(WIRE_BYTES)
    encode = _library().sv_frame_encode
    encode.argtypes = [ctypes.POINTER(_Frame), ctypes.c_uint32, ctypes.c_char_p]
    encode.restype = ctypes.c_size_t
    return ctypes.string_at(wire, encode(given, session, wire))


class VirtualFirmware:
    """A device with the interface of `Device`, as far as lines need it; one at a time.

    What it tells is its calls' own business, so `receive` and `poll` have no events.
    """

    def __init__(self, boot_nonce: int, now_ms: int = 0) -> None:
        self._library = _library()
        self._said = ctypes.create_string_buffer(ROOM_BYTES)
        self._output = bytearray()
        self._now_ms = now_ms
        self._library.virtual_start(boot_nonce, now_ms)

    @property
    def next_ms(self) -> int:
        return self._now_ms + POLL_MS

    @property
    def has_restarted(self) -> bool:
        return bool(self._library.virtual_restarts())

    def receive(self, data: bytes, now_ms: int) -> list:
        self._now_ms = now_ms
        at = self._library.virtual_exchange(data, len(data), now_ms, self._said, ROOM_BYTES)
        self._output += ctypes.string_at(self._said, at)
        return []

    def poll(self, now_ms: int) -> list:
        return self.receive(b"", now_ms)

    def take_output(self) -> bytes:
        taken = bytes(self._output)
        self._output.clear()
        return taken
