"""One Video4Linux2 device: its ioctls, and the buffers that it shares with the driver."""

import contextlib
import errno
import fcntl
import mmap
import os
import select
from collections.abc import Iterator

from agent.sources import v4l2_abi as abi

_MAX_ENUMERATED = 64
_MAX_BUFFER_BYTES = 256 * 1024 * 1024
_FAILED = select.POLLERR | select.POLLHUP | select.POLLNVAL


class V4l2Device:
    """An open device node.

    Every method raises OSError as its ioctl does, and ValueError for an answer no driver may give.
    """

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)
        self._memory: list[mmap.mmap] = []

    def capability(self) -> abi.Capability:
        """Ask what it is."""
        return abi.parse_capability(self._ask(abi.QUERYCAP, bytearray(abi.CAPABILITY.size)))

    def formats(self) -> Iterator[int]:
        """Yield the fourcc of each of its formats."""
        for index in range(_MAX_ENUMERATED):
            try:
                answer = self._ask(abi.ENUM_FMT, abi.pack_format_description(index))
            except OSError as error:
                if error.errno == errno.EINVAL:  # the end of the list
                    return
                raise
            yield abi.parse_format_description(answer)

    def try_format(self, code: int, width: int, height: int) -> abi.PixelFormat:
        """Ask what it would make of a format."""
        return abi.parse_format(self._ask(abi.TRY_FMT, abi.pack_format(code, width, height)))

    def set_format(self, code: int, width: int, height: int) -> abi.PixelFormat:
        """Set a format, and return what it made of it."""
        return abi.parse_format(self._ask(abi.S_FMT, abi.pack_format(code, width, height)))

    def highest_rate_hz(self, code: int, width: int, height: int) -> float:
        """Return the highest frame rate at a format; 0 if it does not say."""
        highest_hz = 0.0
        for index in range(_MAX_ENUMERATED):
            try:
                question = abi.pack_interval(index, code, width, height)
                answer = self._ask(abi.ENUM_FRAMEINTERVALS, question)
            except OSError as error:
                if error.errno in (errno.EINVAL, errno.ENOTTY):
                    break
                raise
            highest_hz = max(highest_hz, abi.parse_interval(answer))
        return highest_hz

    def set_rate(self, rate_hz: float) -> float:
        """Ask for a frame rate, and return the one that it runs at; 0 if it does not say."""
        question = abi.pack_rate(rate_hz)
        for request in (abi.S_PARM, abi.G_PARM):  # some drivers know one rate only
            with contextlib.suppress(OSError):
                return abi.parse_rate(self._ask(request, question))
        return 0.0

    def start(self, count: int) -> None:
        """Map about `count` buffers, give them to the driver, and start the stream."""
        answer = self._ask(abi.REQBUFS, abi.pack_buffer_request(count))
        for index in range(abi.parse_buffer_request(answer)):
            made = abi.parse_buffer(self._ask(abi.QUERYBUF, abi.pack_buffer(index)))
            if not 0 < made.length_bytes <= _MAX_BUFFER_BYTES:
                raise ValueError(f"offers a buffer of {made.length_bytes} bytes")
            self._memory.append(
                mmap.mmap(
                    self._descriptor,
                    made.length_bytes,
                    flags=mmap.MAP_SHARED,
                    prot=mmap.PROT_READ,
                    offset=made.offset,
                )
            )
        for index in range(len(self._memory)):
            self.enqueue(index)
        self._ask(abi.STREAMON, bytearray(abi.STREAM.pack(abi.CAPTURE)))

    def wait(self, timeout_ms: int) -> bool:
        """Wait for a frame; tell whether there may be one.

        Raises:
            OSError: ENODEV if it is unplugged, EIO if its stream has failed for another reason.
        """
        ready = self._poll.poll(timeout_ms)
        if ready and ready[0][1] & _FAILED:
            self.capability()
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return bool(ready)

    def dequeue(self) -> abi.Buffer | None:
        """Take the oldest frame from the driver; None if there is none yet."""
        try:
            taken = abi.parse_buffer(self._ask(abi.DQBUF, abi.pack_buffer(0)))
        except BlockingIOError:
            return None
        if taken.index >= len(self._memory):
            raise ValueError(f"gives buffer {taken.index} of {len(self._memory)}")
        return taken

    def view(self, taken: abi.Buffer) -> memoryview:
        """Show a frame in place; let go of it before `enqueue` or `close`.

        Raises:
            ValueError: it claims more bytes than its buffer has.
        """
        memory = self._memory[taken.index]
        if taken.used_bytes > len(memory):
            raise ValueError(f"{taken.used_bytes} bytes in a buffer of {len(memory)}")
        return memoryview(memory)[: taken.used_bytes]

    def enqueue(self, index: int) -> None:
        """Give a buffer back to the driver."""
        self._ask(abi.QBUF, abi.pack_buffer(index))

    def close(self) -> None:
        """Stop the stream and give everything back; the second call does nothing."""
        if self._descriptor < 0:
            return
        with contextlib.suppress(OSError):  # it may be unplugged
            self._ask(abi.STREAMOFF, bytearray(abi.STREAM.pack(abi.CAPTURE)))
        while self._memory:
            self._memory.pop().close()
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)

    def _ask(self, request: int, argument: bytearray) -> bytearray:
        while True:
            with contextlib.suppress(InterruptedError):
                fcntl.ioctl(self._descriptor, request, argument)
                return argument
