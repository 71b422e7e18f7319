"""Reads MQTT 3.1.1 from the wire: what a broker acknowledged, by its own word alone."""

import json
import threading
from collections.abc import Iterator

PUBLISH, PUBACK = 3, 4
Key = tuple[str, str, int]


class MqttEar:
    """Listens to connections of agents; give `hear` to a `TcpProxy`."""

    def __init__(self) -> None:
        self._rests: dict[tuple[int, bool], bytearray] = {}
        self._flying: dict[tuple[int, int], Key] = {}
        self._lock = threading.Lock()
        self.sent: set[Key] = set()
        self.acknowledged: set[Key] = set()

    def hear(self, connection: int, from_client: bool, data: bytes) -> None:
        """Take bytes of one direction of one connection."""
        with self._lock:
            rest = self._rests.setdefault((connection, from_client), bytearray())
            rest += data
            for kind, flags, body in _packets(rest):
                if from_client and kind == PUBLISH:
                    self._published(connection, flags, body)
                elif not from_client and kind == PUBACK:
                    key = self._flying.pop((connection, int.from_bytes(body[:2], "big")), None)
                    if key is not None:
                        self.acknowledged.add(key)

    def _published(self, connection: int, flags: int, body: bytes) -> None:
        length = int.from_bytes(body[:2], "big")
        topic = body[2 : 2 + length].decode("utf-8")
        *_, device, kind, name = ("", "", *topic.split("/"))[-3:] if topic.count("/") else ("",) * 3
        if kind != "results" or not flags & 0b0110:
            return
        packet_id = int.from_bytes(body[2 + length : 4 + length], "big")
        key = (device, name, json.loads(body[4 + length :])["sequence"])
        self.sent.add(key)
        self._flying[connection, packet_id] = key


def _packets(rest: bytearray) -> Iterator[tuple[int, int, bytes]]:
    while len(rest) >= 2:
        length = shift = 0
        end = 1
        while True:
            if end >= len(rest):
                return
            byte = rest[end]
            length |= (byte & 0x7F) << shift
            shift += 7
            end += 1
            if byte < 0x80:
                break
        if len(rest) < end + length:
            return
        packet = rest[0] >> 4, rest[0] & 0x0F, bytes(rest[end : end + length])
        del rest[: end + length]
        yield packet
