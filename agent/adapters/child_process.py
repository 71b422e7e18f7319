"""A child process and the socket to it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable

from agent.channel.framing import FrameDecoder, frame
from agent.channel.messages import FromChild, ToChild, from_child
from agent.errors import ChannelError
from broker.contract.shape import to_tree

READ_BYTES = 256 * 1024
BACKLOG_LIMIT_BYTES = 4 * 1024 * 1024
"""What may wait for a child that does not read; it is then not well, and is ended."""

LINGER_S = 1.0
"""A child that closed its socket has this long to end."""


class ChildProcess:
    """One child; everything here returns at once."""

    def __init__(self, words: Callable[[int], list[str]], first: ToChild | None = None) -> None:
        """Start the child, and send it a first message.

        Args:
            words: arguments of Python, by the descriptor of the child's end of the socket.
        """
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, READ_BYTES)
        ours.setblocking(False)
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, *words(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=environment,
        )
        theirs.close()
        self.socket = ours
        self._decoder = FrameDecoder()
        self._backlog = bytearray()
        self._closed_at: float | None = None
        self._fault: str | None = None
        if first is not None:
            self.send(first)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def fileno(self) -> int:
        """For a selector."""
        return self.socket.fileno()

    def wants_to_write(self) -> bool:
        """Tell whether something waits for the socket to take more."""
        return bool(self._backlog)

    def send(self, message: ToChild) -> None:
        """Send, or keep until the socket takes it."""
        if self._closed_at is not None:
            return
        try:
            self._backlog += frame(to_tree(message))
        except ChannelError as error:
            self._close(str(error))
            return
        if len(self._backlog) > BACKLOG_LIMIT_BYTES:
            self._close("it does not read what it is sent")
        self.flush()

    def flush(self) -> None:
        """Write what waits."""
        try:
            while self._backlog:
                sent = self.socket.send(self._backlog)
                del self._backlog[:sent]
        except BlockingIOError:
            return
        except OSError:
            self._backlog.clear()

    def receive(self) -> list[FromChild]:
        """Return the messages that came."""
        try:
            data = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self._close(None)
            return []
        try:
            return [from_child(tree) for tree in self._decoder.receive(data)]
        except ChannelError as error:
            self._close(str(error))
            return []

    def kill(self) -> None:
        """End it at once."""
        if self._process.poll() is None:
            self._process.kill()

    def ended(self) -> str | None:
        """Return the cause once the child is gone, for people; None while it runs."""
        if self._closed_at is None:
            return None
        code = self._process.poll()
        if code is None:
            if time.monotonic() - self._closed_at > LINGER_S:
                self.kill()
            return None
        if self._fault is not None:
            return self._fault
        return _cause(code)

    @property
    def closed(self) -> bool:
        """The socket is at its end; only the process is waited for."""
        return self._closed_at is not None

    def _close(self, fault: str | None) -> None:
        if self._closed_at is None:
            self._closed_at = time.monotonic()
            self._fault = fault
            if fault is not None:
                self.kill()

    def release(self) -> None:
        """Close the socket and reap the process."""
        self.socket.close()
        self.kill()
        self._process.wait()


def _cause(code: int) -> str:
    if code < 0:
        return f"killed by signal {-code} ({_signal_name(-code)})"
    return "ended" if code == 0 else f"ended with exit code {code}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
