"""One frame between two delimiters."""

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

from firmware_bridge.link import cobs

VERSION = 1
MAX_PAYLOAD_BYTES = 360
MIN_PAYLOAD_BYTES = 32
DELIMITER = b"\0"
_HEADER = struct.Struct("<BBBBHH")
_CRC = struct.Struct("<I")
OVERHEAD_BYTES = _HEADER.size + _CRC.size
MAX_STUFFED_BYTES = MAX_PAYLOAD_BYTES + OVERHEAD_BYTES + 2
LAST, REPLY = 1, 2


class FrameType(IntEnum):
    """What a frame is for."""

    HELLO = 1
    WELCOME = 2
    DATA = 3
    ACK = 4
    NAK = 5
    RESET = 6


UNSEALED = frozenset({FrameType.HELLO, FrameType.WELCOME, FrameType.RESET})
"""Types whose CRC does not depend on the session."""
_EMPTY = frozenset({FrameType.ACK, FrameType.NAK})


class Verdict(IntEnum):
    """What is wrong with bytes between two delimiters; the C side numbers them alike."""

    FRAME = 0
    TOO_LONG = 1
    BAD_STUFFING = 2
    TOO_SHORT = 3
    BAD_CRC = 4
    BAD_VERSION = 5
    BAD_TYPE = 6
    BAD_HEADER = 7


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame; fields that its type does not use are 0."""

    type: FrameType
    flags: int = 0
    seq: int = 0
    ack: int = 0
    method: int = 0
    payload: bytes = b""


def encode(frame: Frame, session: int) -> bytes:
    """Write a frame with its delimiters; `session` is 0 while there is none."""
    header = _HEADER.pack(
        VERSION << 4 | frame.type,
        frame.flags,
        frame.seq,
        frame.ack,
        frame.method,
        len(frame.payload),
    )
    content = header + frame.payload
    crc = zlib.crc32(content, 0 if frame.type in UNSEALED else session)
    return DELIMITER + cobs.encode(content + _CRC.pack(crc)) + DELIMITER


def decode(stuffed: bytes, session: int) -> Frame | Verdict:
    """Read what stood between two delimiters; anything but a frame gives the reason."""
    if len(stuffed) > MAX_STUFFED_BYTES:
        return Verdict.TOO_LONG
    content = cobs.decode(stuffed)
    if content is None:
        return Verdict.BAD_STUFFING
    if len(content) < OVERHEAD_BYTES:
        return Verdict.TOO_SHORT
    number = content[0] & 15
    is_unsealed = number in UNSEALED
    (crc,) = _CRC.unpack_from(content, len(content) - _CRC.size)
    if zlib.crc32(content[: -_CRC.size], 0 if is_unsealed else session) != crc:
        return Verdict.BAD_CRC
    if content[0] >> 4 != VERSION:
        return Verdict.BAD_VERSION
    if not FrameType.HELLO <= number <= FrameType.RESET:
        return Verdict.BAD_TYPE
    _, flags, seq, ack, method, length = _HEADER.unpack_from(content)
    payload = content[_HEADER.size : -_CRC.size]
    frame = Frame(FrameType(number), flags, seq, ack, method, payload)
    return frame if length == len(payload) and _is_sound(frame) else Verdict.BAD_HEADER


def _is_sound(frame: Frame) -> bool:
    if len(frame.payload) > MAX_PAYLOAD_BYTES or frame.flags & ~(LAST | REPLY):
        return False
    if frame.type is FrameType.DATA:
        return True
    is_plain = frame.flags == frame.seq == frame.method == 0
    if frame.type in UNSEALED:
        return is_plain and frame.ack == 0
    return is_plain and not frame.payload
