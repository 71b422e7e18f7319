"""Runs inside the emulated Pi: keeps frames of its camera, one of each of the driver's pictures."""

import fcntl
import os
import struct
import sys
import time
from pathlib import Path

import numpy as np

from agent.config.sources import V4l2Source as Config
from agent.sources.adapters.v4l2 import V4l2Source

device, path = sys.argv[1:]
QUERY = struct.Struct("=II32s5i2I")  # v4l2_queryctrl
VALUE = struct.Struct("=Ii")  # v4l2_control
NEXT = 0x8000_0000
SETTLE_S = 0.3


def number(code: int, layout: struct.Struct) -> int:
    return 3 << 30 | layout.size << 16 | ord("V") << 8 | code


def control(descriptor: int, wanted: bytes) -> tuple[int, int]:
    """Its number, and its greatest value."""
    last = 0
    while True:
        asked = bytearray(QUERY.pack(last | NEXT, 0, b"", *[0] * 7))
        fcntl.ioctl(descriptor, number(36, QUERY), asked)
        last, _, name, _, greatest, *_ = QUERY.unpack(asked)
        if name.partition(b"\0")[0] == wanted:
            return last, greatest


source = V4l2Source(Config("v4l2", device, width=320, height=180, rate_hz=30), time.monotonic_ns)
descriptor = os.open(device, os.O_RDWR)
pattern, greatest = control(descriptor, b"Test Pattern")
frames = []
for value in range(greatest + 1):
    fcntl.ioctl(descriptor, number(28, VALUE), bytearray(VALUE.pack(pattern, value)))
    time.sleep(SETTLE_S)
    while (sample := source.read(5.0)) is None:
        pass
    frames.append(sample.data)
np.save(path, np.stack(frames))
Path(path).chmod(0o644)
print(len(frames), len({frame.tobytes() for frame in frames}))
