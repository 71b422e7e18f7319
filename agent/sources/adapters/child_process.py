"""A program whose standard output is a stream of samples."""

import contextlib
import fcntl
import os
import select
import subprocess
import termios
from collections.abc import Mapping, Sequence

from agent.errors import SourceError
from agent.sources.protocol import Clock

_PIPE_BYTES = 1024 * 1024
_KEPT_ERRORS_BYTES = 2048
_STOP_WAIT_S = 1.0


class ChildGoneError(SourceError):
    """The program ended; the text is its last line on standard error and its exit code."""


class ChildStream:
    """Runs a program and reads its output in pieces of known size, waiting no longer than told.

    The program sees its standard input or output close when this process dies, however it dies.
    """

    def __init__(
        self,
        command: Sequence[str],
        clock: Clock,
        *,
        environment: Mapping[str, str] | None = None,
        takes_input: bool = False,
    ) -> None:
        """Start the program.

        Raises:
            OSError: there is no such program.
        """
        self._clock = clock
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if takes_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=environment,
        )
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        self._output = self._child.stdout.fileno()
        self._errors = self._child.stderr.fileno()
        os.set_blocking(self._output, False)
        os.set_blocking(self._errors, False)
        with contextlib.suppress(OSError):  # above the limit of an unprivileged user
            fcntl.fcntl(self._output, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._poll = select.poll()
        self._poll.register(self._output, select.POLLIN)
        self._poll.register(self._errors, select.POLLIN)
        self._error_text = b""
        self._piece: bytearray | None = None
        self._filled = 0

    @property
    def pid(self) -> int:
        """Process id of the program."""
        return self._child.pid

    def receive(self, size: int, timeout_s: float) -> bytearray | None:
        """Return the next `size` bytes, or None if they are not all there within `timeout_s`.

        What came stays for the next call, which must ask for the same size.

        Raises:
            ChildGoneError: the output ended.
        """
        deadline_ns = self._clock() + round(max(0.0, timeout_s) * 1e9)
        if self._piece is None:
            self._piece, self._filled = bytearray(size), 0
        while self._filled < size:
            try:
                count = os.readv(self._output, [memoryview(self._piece)[self._filled :]])
            except BlockingIOError:
                if not self._wait(deadline_ns):
                    return None
                continue
            if not count:
                raise ChildGoneError(self._last_words())
            self._filled += count
        piece, self._piece = self._piece, None
        return piece

    def waiting_bytes(self) -> int:
        """Return how much output is waiting in the pipe."""
        answer = bytearray(4)
        fcntl.ioctl(self._output, termios.FIONREAD, answer)
        return int.from_bytes(answer, "little")

    def send(self, data: bytes) -> None:
        """Write a few bytes to the program's standard input.

        Raises:
            ChildGoneError: it has ended.
        """
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(data)
        except OSError:
            raise ChildGoneError(self._last_words()) from None

    def close(self) -> None:
        """End the program and wait until it is gone."""
        for stream in (self._child.stdin, self._child.stdout, self._child.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(_STOP_WAIT_S)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()

    def _wait(self, deadline_ns: int) -> bool:
        left_ms = -((self._clock() - deadline_ns) // 1_000_000)
        if left_ms <= 0:
            self._drain_errors()
            return False
        for descriptor, _ in self._poll.poll(left_ms):
            if descriptor == self._errors:
                self._drain_errors()
        return True

    def _drain_errors(self) -> None:
        try:
            text = os.read(self._errors, 65536)
        except BlockingIOError:
            return
        if not text:
            with contextlib.suppress(KeyError):
                self._poll.unregister(self._errors)
        self._error_text = (self._error_text + text)[-_KEPT_ERRORS_BYTES:]

    def _last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(_STOP_WAIT_S)
        self._drain_errors()
        lines = self._error_text.decode("utf-8", "replace").split("\n")
        words = [line.strip() for line in lines if line.strip()]
        end = f"ended with code {self._child.returncode}"
        return f"{words[-1]} ({end})" if words else end
