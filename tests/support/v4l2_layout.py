"""Where the kernel's header puts each field that we use, as a C compiler sees it."""

import re
import subprocess

from agent.sources import v4l2_abi as abi
from tests.support import v4l2_driver

PIX = "width height pixelformat field bytesperline sizeimage colorspace priv flags ycbcr_enc"
CAPTURE = "capability capturemode timeperframe.numerator timeperframe.denominator"
# Each of our formats, with the structure that it stands for and its fields in order.
FORMATS = {
    "v4l2_capability": (abi.CAPABILITY, "driver card bus_info version capabilities device_caps"),
    "v4l2_fmtdesc": (abi.FORMAT_DESCRIPTION, "index type flags description pixelformat"),
    "v4l2_format": (
        abi.FORMAT,
        "type " + " ".join(f"fmt.pix.{name}" for name in f"{PIX} quantization xfer_func".split()),
    ),
    "v4l2_frmivalenum": (
        abi.FRAME_INTERVAL,
        "index pixel_format width height type discrete.numerator discrete.denominator"
        " stepwise.max.numerator stepwise.max.denominator"
        " stepwise.step.numerator stepwise.step.denominator",
    ),
    "v4l2_streamparm": (
        abi.STREAM_PARAMETERS,
        "type "
        + " ".join(
            f"parm.capture.{name}" for name in f"{CAPTURE} extendedmode readbuffers".split()
        ),
    ),
    "v4l2_requestbuffers": (abi.BUFFER_REQUEST, "count type memory capabilities"),
    "v4l2_buffer": (
        abi.BUFFER,
        "index type bytesused flags field timestamp.tv_sec timestamp.tv_usec sequence memory"
        " m.offset length reserved2 request_fd",
    ),
}
NUMBERS = list(v4l2_driver.REQUESTS)
CONSTANTS = {
    "V4L2_BUF_TYPE_VIDEO_CAPTURE": abi.CAPTURE,
    "VIDEO_MAX_FRAME": abi.MAX_BUFFERS,
    "V4L2_MEMORY_MMAP": abi._MMAP,
    "V4L2_FIELD_NONE": abi._PROGRESSIVE,
    "V4L2_CAP_VIDEO_CAPTURE": abi._CAN_CAPTURE,
    "V4L2_CAP_VIDEO_CAPTURE_MPLANE": abi._CAN_CAPTURE_PLANES,
    "V4L2_CAP_STREAMING": abi._CAN_STREAM,
    "V4L2_CAP_IO_MC": abi._NEEDS_MEDIA_CONTROLLER,
    "V4L2_CAP_DEVICE_CAPS": abi._HAS_DEVICE_CAPS,
    "V4L2_BUF_FLAG_ERROR": abi._DAMAGED,
    "V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC": abi._MONOTONIC,
    "V4L2_BUF_FLAG_TIMESTAMP_MASK": abi._CLOCK_MASK,
    "V4L2_PIX_FMT_RGB24": abi.fourcc("RGB3"),
    "V4L2_PIX_FMT_YUYV": abi.fourcc("YUYV"),
    "V4L2_PIX_FMT_MJPEG": abi.fourcc("MJPG"),
    "V4L2_PIX_FMT_GREY": abi.fourcc("GREY"),
}


def expressions():
    """Everything that is asked of the header, in C."""
    for name, (_, fields) in FORMATS.items():
        yield f"sizeof(struct {name})"
        yield from (f"offsetof(struct {name}, {field})" for field in fields.split())
    yield from (f"VIDIOC_{name}" for name in NUMBERS)
    yield from CONSTANTS


def compiled(folder, *compiler):
    """Let a compiler, for whatever target, evaluate the expressions.

    A 32-bit program has 64-bit times, as Debian 13's have.
    """
    asked = list(expressions())
    source = "#include <stddef.h>\n#include <linux/videodev2.h>\n" + "".join(
        f"const unsigned row_{row} = (unsigned)({text});\n" for row, text in enumerate(asked)
    )
    wide = ("-D_TIME_BITS=64", "-D_FILE_OFFSET_BITS=64")
    (folder / "rows.c").write_text(source)
    subprocess.run([*compiler, *wide, "-S", "-o", "rows.s", "rows.c"], cwd=folder, check=True)
    told = (folder / "rows.s").read_text()
    values = re.findall(r"^row_(\d+):\s*\.(?:long|word|zero)\s+(-?\d+)", told, re.MULTILINE)
    zeros = set(re.findall(r"^row_(\d+):\s*\.zero", told, re.MULTILINE))
    return {
        asked[int(row)]: 0 if row in zeros else int(value) % 2**32
        for row, value in sorted(values, key=lambda item: int(item[0]))
    }


def laid_out(layout, word_bytes):
    """Size of a native format, and the offset of each field, where words have `word_bytes`."""
    sizes = {"i": 4, "I": 4, "q": 8, "L": word_bytes, "P": word_bytes, "s": 1, "x": 1}
    at, offsets = 0, []
    for count, code in re.findall(r"(\d*)(\w)", layout.format.removeprefix("@")):
        at += -at % sizes[code]
        times = int(count or 1)
        if code == "s":
            offsets.append(at)
        elif code != "x":
            offsets += range(at, at + times * sizes[code], sizes[code])
        at += times * sizes[code]
    return at, offsets


def ours(word_bytes):
    """The same answers from our formats and numbers."""
    told = {}
    for name, (layout, fields) in FORMATS.items():
        size, offsets = laid_out(layout, word_bytes)
        told[f"sizeof(struct {name})"] = size
        for field, offset in zip(fields.split(), offsets, strict=True):
            told[f"offsetof(struct {name}, {field})"] = offset
    for name in NUMBERS:
        number = getattr(abi, name)
        size = (number >> 16) & 0x3FFF
        (layout,) = {each for each, _ in (*FORMATS.values(), (abi.STREAM, "")) if each.size == size}
        size = laid_out(layout, word_bytes)[0]
        told[f"VIDIOC_{name}"] = number & ~(0x3FFF << 16) | size << 16
    return told | CONSTANTS
