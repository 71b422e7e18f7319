"""A program's connection to the bridge; nothing here waits."""

import socket

from firmware_bridge.bridge.protocol import Message, Messages, pack
from firmware_bridge.errors import LinkDownError, RecordError

READ_BYTES = 256 * 1024
MAX_BACKLOG_BYTES = 8 << 20


class Program:
    """One connection.

    Raises:
        LinkDownError: from any method: it is closed, or breaks the protocol.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self._messages = Messages()
        self._backlog = bytearray()

    @property
    def has_backlog(self) -> bool:
        """Whether `flush` must be called when it can be written to."""
        return bool(self._backlog)

    def receive(self) -> list[Message]:
        """Return the messages that came."""
        try:
            data = self.connection.recv(READ_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            raise LinkDownError("a program left")
        try:
            return self._messages.receive(data)
        except RecordError as error:
            raise LinkDownError(f"a program says {error}") from None

    def send(self, message: Message) -> None:
        """Send, or keep until it reads."""
        self._backlog += pack(message)
        if len(self._backlog) > MAX_BACKLOG_BYTES:
            raise LinkDownError("a program does not read what it asked for")
        self.flush()

    def flush(self) -> None:
        """Send what was kept."""
        try:
            while self._backlog:
                del self._backlog[: self.connection.send(self._backlog)]
        except BlockingIOError:
            return
        except OSError:
            raise LinkDownError("a program left") from None
