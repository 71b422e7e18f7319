"""The process that started the bridge: it is told how the devices are, and says when to end.

Both ways: u32 length, big-endian, and a JSON object whose `kind` says what it is.
"""

import json
import socket
from typing import Any

MAX_BACKLOG_BYTES = 1 << 20


class Overseer:
    """The other end of a socket pair; nothing here waits."""

    def __init__(self, descriptor: int) -> None:
        self.connection = socket.socket(fileno=descriptor)
        self.connection.setblocking(False)
        self._backlog = bytearray()

    def wants_end(self) -> bool:
        """Whether it said `stop`, the only thing that it says, or is gone."""
        try:
            data = self.connection.recv(4096)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return not data or b'"stop"' in data

    def tell(self, mcus: dict[str, Any]) -> None:
        """Say how the devices are, unless it still has to read what it was told before."""
        if not self._backlog:
            body = json.dumps({"kind": "mcus", "mcus": mcus}, separators=(",", ":")).encode()
            self._backlog += len(body).to_bytes(4, "big") + body
        try:
            while self._backlog:
                del self._backlog[: self.connection.send(self._backlog)]
        except OSError:
            return
