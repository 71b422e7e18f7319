"""Answers of a child as encoded frames, without building a message object for each."""

from typing import Any

from agent.channel.framing import HEADER_BYTES, MAX_FRAME_BYTES
from agent.errors import ChannelError
from broker.contract.codec import to_json

MAX_NAME = 400

Where = tuple[str, str | None]
"""A runtime, and the microcontroller on which it is."""

Answered = tuple[int, str | None, dict[str, Any], tuple[int, int, int, int], Where | None]
"""The arguments of `answer_frame`: encoding waits until something is sent, many at a time."""


def legible(sample_id: str) -> str:
    """Return a sample's name as a message can carry it; a file's may be no text."""
    if sample_id.isascii() and len(sample_id) <= MAX_NAME:
        return sample_id
    return sample_id[:MAX_NAME].encode("utf-8", "replace").decode("utf-8")


def answer_frame(
    captured_ns: int,
    sample_id: str | None,
    outputs: dict[str, Any],
    marks_ns: tuple[int, int, int, int],
    where: Where | None = None,
) -> bytes:
    """Encode an `Answer` (agent.channel.messages) as a frame.

    Args:
        marks_ns: monotonic time when preprocessing began, when the model began, when it ended, and
            when the answer was ready.
        where: what computed it, unless that is always the same.

    Raises:
        ChannelError: the outputs cannot be encoded, or are too long.
    """
    began, invoked, answered, ready = marks_ns
    named = "" if sample_id is None else f',"input":{to_json(legible(sample_id))}'
    if where is not None:
        runtime, mcu = where
        named += f',"runtime":"{runtime}"' + (f',"mcu":"{mcu}"' if mcu else "")
    try:
        body = (
            f'{{"kind":"answer","monotonic_ns":{captured_ns},"outputs":{to_json(outputs)},'
            f'"latency":{{"preprocess_us":{(invoked - began) // 1000},'
            f'"invoke_us":{(answered - invoked) // 1000},'
            f'"postprocess_us":{(ready - answered) // 1000},'
            f'"total_us":{max(0, ready - captured_ns) // 1000}}}{named}}}'
        ).encode("ascii")
    except (TypeError, ValueError) as error:
        raise ChannelError(f"outputs cannot be encoded: {error}") from None
    if len(body) > MAX_FRAME_BYTES:
        raise ChannelError(f"answer of {len(body)} bytes exceeds {MAX_FRAME_BYTES}")
    return len(body).to_bytes(HEADER_BYTES, "big") + body
