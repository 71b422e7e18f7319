"""What the capturing child puts before each frame."""

import struct
from dataclasses import dataclass

MAGIC = b"SVF1"
LAYOUT = struct.Struct("<4sHHIQ")
MAX_SIDE = 8192


@dataclass(frozen=True)
class FrameHeader:
    """Size, number and time of a frame of packed RGB that follows.

    Attributes:
        sequence: counts what the camera captured, delivered or not, modulo 2**32.
        captured_ns: monotonic time.
    """

    width: int
    height: int
    sequence: int
    captured_ns: int

    @property
    def frame_bytes(self) -> int:
        """Size of the frame that follows."""
        return self.width * self.height * 3


def parse_frame_header(data: bytes) -> FrameHeader:
    """Parse `LAYOUT.size` bytes.

    Raises:
        ValueError: not a header, or a size that no camera has.
    """
    if len(data) != LAYOUT.size:
        raise ValueError(f"header of {len(data)} bytes, {LAYOUT.size} expected")
    magic, width, height, sequence, captured_ns = LAYOUT.unpack(data)
    if magic != MAGIC:
        raise ValueError(f"starts with {magic!r}, {MAGIC!r} expected")
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise ValueError(f"{width} × {height} pixels")
    return FrameHeader(width, height, sequence, captured_ns)
