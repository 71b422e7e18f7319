"""The child's end of the channel, with a thread that listens."""

import socket
import threading
from base64 import b64decode
from collections import deque
from collections.abc import Iterable

from agent.channel.framing import FrameDecoder, frame
from agent.channel.messages import Feed, FromChild, Start, Stop, ToChild, to_child
from agent.errors import ChannelError
from agent.sources.adapters.inbox import Inbox
from broker.contract.shape import to_tree

READ_BYTES = 64 * 1024


class MainLink:
    """Messages to and from the main process; its end is ours."""

    def __init__(self, fd: int, inbox: Inbox) -> None:
        self._socket = socket.socket(fileno=fd)
        self._inbox = inbox
        self._decoder = FrameDecoder()
        self._started = threading.Event()
        self._start: Start | None = None
        self.requests: deque[ToChild] = deque()
        threading.Thread(target=self._listen, name="channel", daemon=True).start()

    def started(self) -> Start | None:
        """Wait for the first message; None if the main process went away before it."""
        self._started.wait()
        return self._start

    def send(self, message: FromChild) -> None:
        """Send a message."""
        self.send_frames((frame(to_tree(message)),))

    def send_frames(self, frames: Iterable[bytes]) -> None:
        """Send encoded frames; a main process that is slow makes us wait, not lose."""
        try:
            self._socket.sendall(b"".join(frames))
        except OSError:
            self.requests.append(Stop("stop"))

    def _listen(self) -> None:
        try:
            while data := self._socket.recv(READ_BYTES):
                for tree in self._decoder.receive(data):
                    self._take(to_child(tree))
        except (OSError, ChannelError):
            pass
        self.requests.append(Stop("stop"))
        self._started.set()

    def _take(self, message: ToChild) -> None:
        match message:
            case Start():
                self._start = message
                self._started.set()
            case Feed():
                self._inbox.put(b64decode(message.payload))
            case _:
                self.requests.append(message)
