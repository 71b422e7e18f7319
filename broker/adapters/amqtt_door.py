"""The door of the embedded broker: who may talk to amqtt, and how much at once."""

import asyncio
from asyncio import StreamReader, StreamWriter

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter

from broker.init.limits import MAX_PACKET_BYTES

CONNECT_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 1.0
CONNECT = b"\x10"
MAX_LENGTH_BYTES = 4
LEVEL_AT = 6
"""In the body of CONNECT the protocol level follows a length of two bytes and `MQTT`."""

MQTT_3_1_1 = b"\x04"
WRONG_PROTOCOL_LEVEL = b"\x20\x02\x00\x01"
"""CONNACK of MQTT 3.1.1 with return code 1; clients of MQTT 5 understand it."""


class PacketError(Exception):
    """A client announces more than we would hold in memory, or less than its fields need."""


class PacketReader(StreamReaderAdapter):  # type: ignore[misc]
    """What a client sends, one whole and bounded packet at a time."""

    def __init__(self, reader: StreamReader, packet: bytes) -> None:
        super().__init__(reader)
        self._packet = packet

    async def read(self, n: int = -1) -> bytes:
        """Read `n` bytes of one packet.

        Raises:
            PacketError: the packet is too long, or ends before these bytes.
        """
        if n and not self._packet:
            self._packet = await read_packet(self._reader)
        if not 0 <= n <= len(self._packet):
            raise PacketError
        taken, self._packet = self._packet[:n], self._packet[n:]
        return taken


class PromptWriter(StreamWriterAdapter):  # type: ignore[misc]
    """What a client gets; closing does not wait for one that has stopped reading."""

    async def close(self) -> None:
        """Close within CLOSE_TIMEOUT_S, flushed if the client reads."""
        try:
            await asyncio.wait_for(super().close(), CLOSE_TIMEOUT_S)
        except (TimeoutError, OSError):
            self._writer.transport.abort()


async def admit(
    reader: StreamReader, writer: StreamWriter
) -> tuple[PacketReader, PromptWriter] | None:
    """Read the first packet and let in a client of MQTT 3.1.1; turn away any other.

    amqtt reads the CONNECT of MQTT 5 as if it were 3.1.1: it waits for bytes that never come
    instead of refusing.
    """
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            packet = await read_packet(reader, only=CONNECT)
    except (TimeoutError, EOFError, OSError, PacketError):
        await PromptWriter(writer).close()
        return None
    body = packet[header_size(packet) :]
    if body[LEVEL_AT : LEVEL_AT + 1] == MQTT_3_1_1:
        return PacketReader(reader, packet), PromptWriter(writer)
    writer.write(WRONG_PROTOCOL_LEVEL)
    await PromptWriter(writer).close()
    return None


async def read_packet(reader: StreamReader, only: bytes = b"") -> bytes:
    """Read one packet: type, remaining length in one to four bytes of seven bits, body.

    Raises:
        PacketError: it is longer than MAX_PACKET_BYTES, or does not begin with `only`.
        EOFError: the stream ends within it.
    """
    head = await reader.readexactly(1)
    if not head.startswith(only):
        raise PacketError
    head += await reader.readexactly(1)
    while head[-1] & 0x80:
        if len(head) > MAX_LENGTH_BYTES:
            raise PacketError
        head += await reader.readexactly(1)
    length = sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(head[1:]))
    if len(head) + length > MAX_PACKET_BYTES:
        raise PacketError
    return head + await reader.readexactly(length)


def header_size(packet: bytes) -> int:
    """Bytes before the body: the type, and the length up to its first byte without high bit."""
    return 2 + next(at for at, byte in enumerate(packet[1:]) if not byte & 0x80)
