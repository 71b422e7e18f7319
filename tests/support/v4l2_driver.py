"""A camera below `fcntl.ioctl`: answers as a V4L2 driver does, keeps its rules, and misbehaves.

Its structures are C structures laid out by ctypes, independent of the formats of the product.
"""

import ctypes
import errno
import fcntl
import mmap
import os
from ctypes import Structure, Union, c_char, c_int, c_int32, c_longlong, c_uint8, c_uint32, c_void_p
from functools import partial

YUYV, MJPEG, GREY, RGB, H264 = "YUYV", "MJPG", "GREY", "RGB3", "H264"
VIDEO_CAPTURE, VIDEO_CAPTURE_MPLANE, META_CAPTURE = 0x1, 0x1000, 0x800000
STREAMING, IO_MC, DEVICE_CAPS = 0x4000000, 0x20000000, 0x80000000
ERROR, MONOTONIC = 0x40, 0x2000
BUFFER_BYTES = 1024 * 4096


def fourcc(code):
    return int.from_bytes(code.encode(), "little")


def structure(name, base=Structure, **fields):
    return type(name, (base,), {"_fields_": list(fields.items())})


U32 = c_uint32
Capability = structure(
    "v4l2_capability",
    driver=c_char * 16,
    card=c_char * 32,
    bus_info=c_char * 32,
    version=U32,
    capabilities=U32,
    device_caps=U32,
    reserved=U32 * 3,
)
FormatDescription = structure(
    "v4l2_fmtdesc",
    index=U32,
    type=U32,
    flags=U32,
    description=c_char * 32,
    pixelformat=U32,
    mbus_code=U32,
    reserved=U32 * 3,
)
PIX = "width height pixelformat field bytesperline sizeimage colorspace priv flags ycbcr_enc"
Pix = structure("v4l2_pix_format", **dict.fromkeys([*PIX.split(), "quantization", "xfer"], U32))
Window = structure("v4l2_window_with_pointers", rest=U32 * 5, clips=c_void_p)
FormatUnion = structure("fmt", Union, pix=Pix, win=Window, raw_data=c_uint8 * 200)
Format = structure("v4l2_format", type=U32, fmt=FormatUnion)
Fraction = structure("v4l2_fract", numerator=U32, denominator=U32)
Stepwise = structure("v4l2_frmival_stepwise", min=Fraction, max=Fraction, step=Fraction)
IntervalUnion = structure("u", Union, discrete=Fraction, stepwise=Stepwise)
Interval = structure(
    "v4l2_frmivalenum",
    index=U32,
    pixel_format=U32,
    width=U32,
    height=U32,
    type=U32,
    u=IntervalUnion,
    reserved=U32 * 2,
)
CaptureParameters = structure(
    "v4l2_captureparm",
    capability=U32,
    capturemode=U32,
    timeperframe=Fraction,
    extendedmode=U32,
    readbuffers=U32,
    reserved=U32 * 4,
)
ParameterUnion = structure("parm", Union, capture=CaptureParameters, raw_data=c_uint8 * 200)
Parameters = structure("v4l2_streamparm", type=U32, parm=ParameterUnion)
Request = structure(
    "v4l2_requestbuffers",
    count=U32,
    type=U32,
    memory=U32,
    capabilities=U32,
    flags=c_uint8,
    reserved=c_uint8 * 3,
)
Time = structure("timeval", tv_sec=c_longlong, tv_usec=c_longlong)
BufferUnion = structure("m", Union, offset=U32, userptr=ctypes.c_ulong, fd=c_int32)
Buffer = structure(
    "v4l2_buffer",
    index=U32,
    type=U32,
    bytesused=U32,
    flags=U32,
    field=U32,
    timestamp=Time,
    timecode=U32 * 4,
    sequence=U32,
    memory=U32,
    m=BufferUnion,
    length=U32,
    reserved2=U32,
    request_fd=c_int32,
)

# Name of each request with its direction (1: from the program, 2: to it), number and argument.
REQUESTS = {
    "QUERYCAP": (2, 0, Capability),
    "ENUM_FMT": (3, 2, FormatDescription),
    "S_FMT": (3, 5, Format),
    "REQBUFS": (3, 8, Request),
    "QUERYBUF": (3, 9, Buffer),
    "QBUF": (3, 15, Buffer),
    "DQBUF": (3, 17, Buffer),
    "STREAMON": (1, 18, c_int),
    "STREAMOFF": (1, 19, c_int),
    "G_PARM": (3, 21, Parameters),
    "S_PARM": (3, 22, Parameters),
    "TRY_FMT": (3, 64, Format),
    "ENUM_FRAMEINTERVALS": (3, 75, Interval),
}


def number(name):
    direction, code, argument = REQUESTS[name]
    return direction << 30 | ctypes.sizeof(argument) << 16 | ord("V") << 8 | code


def refuse(code):
    raise OSError(code, os.strerror(code))


class Driver:
    """One camera. Time is virtual, frames come when the test says so."""

    def __init__(self, formats, *, rate_hz=30, sizes=((640, 480),), padding=0, card=b"UVC Camera"):
        self.formats, self.rate_hz, self.sizes = formats, rate_hz, sizes
        self.padding, self.card, self.bus = padding, card, b"usb-0000:01:00.0-1.2"
        self.now_ns = 10_000_000_000
        self.fixed_rate = self.silent_rate = self.is_gone = self.is_busy = False
        self.flags, self.caps, self.count, self.buffer_bytes = MONOTONIC, VIDEO_CAPTURE, 3, 0
        self.sizes_of = {}  # fourcc → sizes, where a format has others
        self.fails = {}  # request → errno
        self.interruptions = iter(())
        self.format, self.size, self.fps = formats[0], sizes[0], (1, rate_hz)
        self.sequence = -1
        self.descriptors, self.mapped, self.memory = [], [], None
        self._reset()

    def _reset(self):
        self.offered, self.queued, self.done, self.streaming = 0, [], [], False

    def clock(self):
        self.now_ns += 1000
        return self.now_ns

    # What a user of the camera calls.
    def open(self, flags):
        assert flags == os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC
        if self.is_gone:
            refuse(errno.ENODEV)
        if all(buffer.closed for buffer in self.mapped):  # as the kernel does at the last close
            self.mapped = []
            self._reset()
        read_end, self.ready = os.pipe2(os.O_NONBLOCK)
        if self.memory is None:
            self.memory = os.memfd_create("frames")
        self.descriptors += [self.ready]
        self.read_end = read_end
        return read_end

    def mmap(self, length, *, flags, prot, offset):
        assert (flags, prot) == (mmap.MAP_SHARED, mmap.PROT_READ)
        assert length == (self.buffer_bytes or BUFFER_BYTES)
        assert offset == len(self.mapped) % self.offered * BUFFER_BYTES
        os.truncate(self.memory, self.offered * BUFFER_BYTES)
        self.mapped.append(mmap.mmap(self.memory, length, flags=flags, prot=prot, offset=offset))
        return self.mapped[-1]

    def ioctl(self, request, argument):
        names = [name for name in REQUESTS if number(name) == request]
        assert names, f"no request of V4L2, or of another size: {request:#x}"
        if self.is_gone:
            refuse(errno.ENODEV)
        if next(self.interruptions, False):
            refuse(errno.EINTR)
        if names[0] in self.fails:
            refuse(self.fails[names[0]])
        getattr(self, f"_{names[0].lower()}")(REQUESTS[names[0]][2].from_buffer(argument))
        return 0

    # What happens in front of the lens.
    def expose(self, data, *, flags=0, late_ns=0, used=None):
        """A frame is captured; without a free buffer it is lost, but counted."""
        self.now_ns += round(1e9 * self.fps[0] / self.fps[1])
        self.sequence += 1
        if not self.streaming or not self.queued:
            return
        index = self.queued.pop(0)
        os.pwrite(self.memory, data, index * BUFFER_BYTES)
        stamp_ns = self.now_ns - late_ns
        used = len(data) if used is None else used
        self.done.append((index, used, flags, self.sequence, stamp_ns))
        os.write(self.ready, b"x")

    def hang_up(self):
        os.close(self.descriptors.pop())

    def unplug(self):
        self.is_gone = True
        self.hang_up()

    def replug(self):
        self.is_gone = False

    def give_back(self):
        for descriptor in self.descriptors:
            os.close(descriptor)
        if self.memory is not None:
            os.close(self.memory)

    # The ioctls.
    def _querycap(self, caps):
        caps.driver, caps.card, caps.bus_info = b"uvcvideo", self.card, self.bus
        caps.device_caps = self.caps if self.caps & IO_MC else self.caps | STREAMING
        # The device as a whole can more than this node.
        caps.capabilities = caps.device_caps | DEVICE_CAPS | VIDEO_CAPTURE | META_CAPTURE

    def _enum_fmt(self, item):
        assert item.type == 1
        if item.index >= len(self.formats):
            refuse(errno.EINVAL)
        item.pixelformat, item.description = fourcc(self.formats[item.index]), b"some format"

    def _enum_frameintervals(self, item):
        code = item.pixel_format.to_bytes(4, "little").decode()
        if item.index or (item.width, item.height) not in self.sizes_of.get(code, self.sizes):
            refuse(errno.EINVAL)
        slow = code == YUYV and item.width > 640
        item.type = 1
        item.u.discrete.numerator, item.u.discrete.denominator = 1, 5 if slow else self.rate_hz

    def _agree(self, item):
        assert item.type == 1
        pix = item.fmt.pix
        codes = {fourcc(code): code for code in self.formats}
        code = codes.get(pix.pixelformat, self.formats[0])
        sizes = self.sizes_of.get(code, self.sizes)
        size = min(sizes, key=lambda size: abs(size[0] - pix.width))
        pix.width, pix.height = size
        pix.pixelformat, pix.bytesperline = fourcc(code), self._stride(code, size)
        pix.sizeimage = max(pix.bytesperline, size[0] * 2) * size[1]
        return code, size

    _try_fmt = _agree

    def _s_fmt(self, item):
        if self.offered or self.is_busy:
            refuse(errno.EBUSY)
        self.format, self.size = self._agree(item)

    def _stride(self, code, size):
        pixel_bytes = {YUYV: 2, GREY: 1, RGB: 3}.get(code, 0)
        return size[0] * pixel_bytes + (self.padding if pixel_bytes else 0)

    @property
    def stride(self):
        return self._stride(self.format, self.size)

    def _s_parm(self, item):
        if self.fixed_rate:
            refuse(errno.ENOTTY)
        fraction = item.parm.capture.timeperframe
        wanted_hz = fraction.denominator / fraction.numerator
        self.fps = (1, min(self.rate_hz, max(5, round(wanted_hz))))
        self._g_parm(item)

    def _g_parm(self, item):
        assert item.type == 1
        fraction = item.parm.capture.timeperframe
        fraction.numerator, fraction.denominator = (0, 0) if self.silent_rate else self.fps

    def _reqbufs(self, item):
        assert (item.type, item.memory) == (1, 1)
        if self.is_busy:
            refuse(errno.EBUSY)
        item.count = self.offered = self.count

    def _querybuf(self, item):
        assert item.index < self.offered
        item.length, item.m.offset = self.buffer_bytes or BUFFER_BYTES, item.index * BUFFER_BYTES

    def _qbuf(self, item):
        assert (item.type, item.memory) == (1, 1)
        assert item.index < self.offered
        assert item.index not in self.queued
        assert item.index not in [done[0] for done in self.done]
        self.queued.append(item.index)

    def _dqbuf(self, item):
        assert (item.type, item.memory) == (1, 1)
        if not self.done:
            refuse(errno.EAGAIN)
        os.read(self.read_end, 1)
        item.index, item.bytesused, flags, item.sequence, stamp_ns = self.done.pop(0)
        item.flags, item.length = flags | self.flags, BUFFER_BYTES
        item.timestamp.tv_sec, rest_ns = divmod(stamp_ns, 10**9)
        item.timestamp.tv_usec = rest_ns // 1000

    def _streamon(self, item):
        assert item.value == 1
        assert len(self.queued) == self.offered
        self.streaming = True

    def _streamoff(self, item):
        assert item.value == 1
        self.streaming = False
        self.queued, self.done = [], []


def install(monkeypatch, drivers):
    """Let `drivers`, by path, answer for the kernel; everything else still reaches the kernel."""
    open_really, ask_really, map_really = os.open, fcntl.ioctl, mmap.mmap
    by_pipe = {}

    def driver_of(descriptor):
        return by_pipe.get(os.fstat(descriptor)[1:3]) if descriptor >= 0 else None

    def open_(path, flags, *rest, **options):
        if path not in drivers:
            return open_really(path, flags, *rest, **options)
        descriptor = drivers[path].open(flags)
        by_pipe[os.fstat(descriptor)[1:3]] = drivers[path]
        return descriptor

    def ioctl(descriptor, request, *rest):
        driver = driver_of(descriptor)
        return (driver.ioctl if driver else partial(ask_really, descriptor))(request, *rest)

    def map_(descriptor, length, **options):
        driver = driver_of(descriptor)
        return (driver.mmap if driver else partial(map_really, descriptor))(length, **options)

    monkeypatch.setattr(os, "open", open_)
    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    monkeypatch.setattr(mmap, "mmap", map_)
