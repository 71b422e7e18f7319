"""Frames on the channel: four bytes of big-endian length, then one JSON object."""

from typing import Any

from agent.errors import ChannelError
from broker.contract.codec import decode_json, encode_json
from broker.contract.errors import MessageError

HEADER_BYTES = 4
MAX_FRAME_BYTES = 1024 * 1024
"""Room for an MQTT payload of 256 kB in base64, or a snapshot; nothing else is large."""


def frame(tree: dict[str, Any]) -> bytes:
    """Encode one message.

    Raises:
        ChannelError: it cannot be encoded, or is longer than the peer would take.
    """
    try:
        body = encode_json(tree)
    except MessageError as error:
        raise ChannelError(str(error)) from None
    if len(body) > MAX_FRAME_BYTES:
        raise ChannelError(f"frame of {len(body)} bytes exceeds the limit of {MAX_FRAME_BYTES}")
    return len(body).to_bytes(HEADER_BYTES, "big") + body


class FrameDecoder:
    """Turns received bytes into messages, holding at most one frame of rest."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def receive(self, data: bytes) -> list[Any]:
        """Return the messages that `data` completes.

        Raises:
            ChannelError: a length above the limit, or a body that is not JSON; the stream is lost.
        """
        self._rest += data
        messages = []
        start = 0
        while len(self._rest) - start >= HEADER_BYTES:
            body = start + HEADER_BYTES
            length = int.from_bytes(self._rest[start:body], "big")
            if length > MAX_FRAME_BYTES:
                raise ChannelError(f"frame of {length} bytes exceeds {MAX_FRAME_BYTES}")
            if len(self._rest) < body + length:
                break
            try:
                messages.append(decode_json(self._rest[body : body + length], limit=length))
            except MessageError as error:
                raise ChannelError(str(error)) from None
            start = body + length
        del self._rest[:start]
        return messages
