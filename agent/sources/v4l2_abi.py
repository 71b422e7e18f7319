"""Structures and ioctl numbers of Video4Linux2, the part that one-plane capture needs.

Formats are native, so that padding and the size of a word are those of the machine. The time in a
buffer always has 64 bits: kernels since 5.6 take that structure from 32-bit programs too, whatever
their libc calls a time. Numbers are coded as on ARM, x86 and RISC-V (`asm-generic/ioctl.h`).
"""

import struct
from dataclasses import dataclass

CAPABILITY = struct.Struct("@16s32s32sIII12x")
FORMAT_DESCRIPTION = struct.Struct("@III32sI16x")
FORMAT = struct.Struct("@I0P12I152x")
FRAME_INTERVAL = struct.Struct("@5I6I8x")
STREAM_PARAMETERS = struct.Struct("@I6I176x")
BUFFER_REQUEST = struct.Struct("@4I4x")
BUFFER = struct.Struct("@5I0qqq16x2I0LI0L3I0q")
STREAM = struct.Struct("@i")
_WRITE, _READ = 1, 2


def _number(direction: int, number: int, layout: struct.Struct) -> int:
    return direction << 30 | layout.size << 16 | ord("V") << 8 | number


QUERYCAP = _number(_READ, 0, CAPABILITY)
ENUM_FMT = _number(_READ | _WRITE, 2, FORMAT_DESCRIPTION)
S_FMT = _number(_READ | _WRITE, 5, FORMAT)
REQBUFS = _number(_READ | _WRITE, 8, BUFFER_REQUEST)
QUERYBUF = _number(_READ | _WRITE, 9, BUFFER)
QBUF = _number(_READ | _WRITE, 15, BUFFER)
DQBUF = _number(_READ | _WRITE, 17, BUFFER)
STREAMON = _number(_WRITE, 18, STREAM)
STREAMOFF = _number(_WRITE, 19, STREAM)
G_PARM = _number(_READ | _WRITE, 21, STREAM_PARAMETERS)
S_PARM = _number(_READ | _WRITE, 22, STREAM_PARAMETERS)
TRY_FMT = _number(_READ | _WRITE, 64, FORMAT)
ENUM_FRAMEINTERVALS = _number(_READ | _WRITE, 75, FRAME_INTERVAL)

CAPTURE = 1
"""Type of the only queue used here: V4L2_BUF_TYPE_VIDEO_CAPTURE."""

MAX_BUFFERS = 32
"""VIDEO_MAX_FRAME: no driver gives more."""

MAX_SIDE = 8192
_MMAP, _PROGRESSIVE = 1, 1
_CAN_CAPTURE, _CAN_CAPTURE_PLANES = 0x1, 0x1000
_CAN_STREAM, _NEEDS_MEDIA_CONTROLLER, _HAS_DEVICE_CAPS = 0x400_0000, 0x2000_0000, 0x8000_0000
_DAMAGED, _MONOTONIC, _CLOCK_MASK = 0x40, 0x2000, 0xE000


@dataclass(frozen=True)
class Capability:
    """What a device node is.

    Attributes:
        problem: why no frames can be had from this node; None if they can.
    """

    card: str
    bus: str
    problem: str | None


@dataclass(frozen=True)
class PixelFormat:
    """What a driver agreed to; `stride` is bytes from row to row, 0 for compressed frames."""

    fourcc: int
    width: int
    height: int
    stride: int


@dataclass(frozen=True)
class Buffer:
    """A buffer as the driver describes it.

    Attributes:
        captured_ns: monotonic time; None if the driver counts by another clock.
        sequence: counts captured frames modulo 2**32, also those that found no buffer.
        offset: where to map it; meaningless once it is dequeued.
    """

    index: int
    used_bytes: int
    length_bytes: int
    offset: int
    sequence: int
    captured_ns: int | None
    is_damaged: bool


def fourcc(code: str) -> int:
    """Return the number of a format of four characters."""
    return int.from_bytes(code.encode("ascii"), "little")


def parse_capability(data: bytes | bytearray) -> Capability:
    """Parse the answer to QUERYCAP."""
    _, card, bus, _, flags, device_flags = CAPABILITY.unpack(data)
    flags = device_flags if flags & _HAS_DEVICE_CAPS else flags
    problem = None
    if flags & _NEEDS_MEDIA_CONTROLLER:
        problem = "a part of a camera that libcamera drives; use kind picamera2"
    elif not flags & _CAN_CAPTURE:
        what = "video in several planes only" if flags & _CAN_CAPTURE_PLANES else "no video"
        problem = f"it captures {what}; try another /dev/videoN"
    elif not flags & _CAN_STREAM:
        problem = "it cannot stream; try another /dev/videoN"
    return Capability(_text(card), _text(bus), problem)


def pack_format_description(index: int) -> bytearray:
    """Ask for format `index` of those that a camera has."""
    return bytearray(FORMAT_DESCRIPTION.pack(index, CAPTURE, 0, b"", 0))


def parse_format_description(data: bytes | bytearray) -> int:
    """Return the fourcc of a format."""
    return int(FORMAT_DESCRIPTION.unpack(data)[4])


def pack_format(code: int, width: int, height: int) -> bytearray:
    """Ask for frames of this fourcc and size, progressive."""
    return bytearray(FORMAT.pack(CAPTURE, width, height, code, _PROGRESSIVE, *[0] * 8))


def parse_format(data: bytes | bytearray) -> PixelFormat:
    """Parse what a driver made of the format that it was asked for.

    Raises:
        ValueError: a size that no camera has.
    """
    _, width, height, code, _, stride = FORMAT.unpack(data)[:6]
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise ValueError(f"offers {width} × {height} pixels")
    return PixelFormat(code, width, height, stride)


def pack_interval(index: int, code: int, width: int, height: int) -> bytearray:
    """Ask for frame interval `index` of those at this fourcc and size."""
    return bytearray(FRAME_INTERVAL.pack(index, code, width, height, *[0] * 7))


def parse_interval(data: bytes | bytearray) -> float:
    """Return the rate in Hz of an interval, or of the shortest of a range; 0 if it says none."""
    return _rate_hz(*FRAME_INTERVAL.unpack(data)[5:7])


def pack_rate(rate_hz: float) -> bytearray:
    """Ask for a frame rate."""
    per_1000_s = min(max(1, round(rate_hz * 1000)), 2**31)
    return bytearray(STREAM_PARAMETERS.pack(CAPTURE, 0, 0, 1000, per_1000_s, 0, 0))


def parse_rate(data: bytes | bytearray) -> float:
    """Return the frame rate in Hz that a camera runs at; 0 if it does not say."""
    return _rate_hz(*STREAM_PARAMETERS.unpack(data)[3:5])


def pack_buffer_request(count: int) -> bytearray:
    """Ask for `count` buffers that can be mapped."""
    return bytearray(BUFFER_REQUEST.pack(count, CAPTURE, _MMAP, 0))


def parse_buffer_request(data: bytes | bytearray) -> int:
    """Return how many buffers the driver made.

    Raises:
        ValueError: too few to capture into one while another is read, or too many.
    """
    count = int(BUFFER_REQUEST.unpack(data)[0])
    if not 2 <= count <= MAX_BUFFERS:
        raise ValueError(f"offers {count} buffers, 2 to {MAX_BUFFERS} expected")
    return count


def pack_buffer(index: int) -> bytearray:
    """Name a buffer, or leave room for the answer."""
    return bytearray(BUFFER.pack(index, CAPTURE, *[0] * 6, _MMAP, *[0] * 4))


def parse_buffer(data: bytes | bytearray) -> Buffer:
    """Parse a buffer; bounds are for the caller, who knows what was mapped."""
    index, _, used, flags, _, seconds, microseconds, sequence, _, offset, length, _, _ = (
        BUFFER.unpack(data)
    )
    is_monotonic = flags & _CLOCK_MASK == _MONOTONIC
    captured_ns = seconds * 1_000_000_000 + microseconds * 1000 if is_monotonic else None
    return Buffer(index, used, length, offset, sequence, captured_ns, bool(flags & _DAMAGED))


def _rate_hz(numerator: int, denominator: int) -> float:
    return denominator / numerator if numerator else 0.0


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "replace")
