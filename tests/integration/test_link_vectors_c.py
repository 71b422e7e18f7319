"""The bytes of docs/reference/wire.md, read by the C side.

Codec and session run under sanitizers, calls through ctypes.
"""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_bridge.calls.methods import Method
from firmware_bridge.link.conversation import Fragment
from firmware_bridge.link.events import Closed, Opened
from firmware_bridge.link.frame import LAST, REPLY, Frame, FrameType, Verdict, decode, encode
from firmware_bridge.link.opening import Hello, session_number
from tests.support.c_link import DECODE, POLL, RECEIVE, START, Command, run_c, run_python
from tests.support.c_link import REPLY as SEND
from tests.support.link_vectors import CALLS, FRAMES, SESSION, frame_of
from tests.support.virtual_firmware import VirtualFirmware, c_encode
from toolchain.plan.decode import decode as plan_of

PLAN = json.loads((Path(__file__).parents[1] / "vectors" / "plan.json").read_text())
KINDS = {"receive": RECEIVE, "poll": POLL, "start": START, "reply": SEND}


def suspect(session: int, stuffed: bytes) -> Command:
    return Command(DECODE, 0, session.to_bytes(4, "little") + stuffed)


def test_the_c_codec_reads_and_writes_these_frames():
    vectors = FRAMES["frames"]
    wires = [bytes.fromhex(vector["wire"]) for vector in vectors]
    commands = [
        suspect(vector["session"], wire[1:-1]) for vector, wire in zip(vectors, wires, strict=True)
    ]
    for vector, wire, outcome in zip(vectors, wires, run_c(commands, 0), strict=True):
        assert outcome.events == (frame_of(vector),)
        assert c_encode(frame_of(vector), vector["session"]) == wire


def test_the_c_codec_refuses_these_bytes():
    vectors = FRAMES["refused"]
    commands = [suspect(one["session"], bytes.fromhex(one["stuffed"])) for one in vectors]
    for vector, outcome in zip(vectors, run_c(commands, 0), strict=True):
        assert outcome.events == (Verdict[vector["verdict"]],), vector["why"]


@pytest.mark.parametrize("run", [run_c, run_python], ids=["c", "python"])
def test_a_device_goes_through_these_steps(run):
    steps = SESSION["steps"]
    commands = [
        Command(KINDS[step["do"]], step["now_ms"], bytes.fromhex(step["given"])) for step in steps
    ]
    for step, outcome in zip(steps, run(commands, SESSION["boot_nonce"]), strict=True):
        assert outcome.written.hex() == step["writes"], step["why"]
        assert [told(event) for event in outcome.events] == step["tells"], step["why"]


def told(event: object) -> object:
    if isinstance(event, Opened):
        return "opened"
    if isinstance(event, Closed):
        return f"closed {int(event.reason)}"
    assert isinstance(event, Fragment)
    return {
        "fragment": event.payload.hex(),
        "method": event.method,
        "is_reply": event.is_reply,
        "is_first": event.is_first,
        "is_last": event.is_last,
    }


def words() -> dict[str, str]:
    """What the words in braces stand for."""
    data = bytes.fromhex("".join(PLAN["plan"]))
    plan, half = plan_of(data), len(data) // 2
    numbers = {
        "length": len(data),
        "half": half,
        "arena_bytes": plan.arena_bytes,
        "input_bytes": len(PLAN["input"]),
        "output_bytes": len(PLAN["output"]),
    }
    made = {name: value.to_bytes(4, "little").hex() for name, value in numbers.items()}
    count = len(plan.operators)
    return made | {
        "sha256": sha256(data).hexdigest(),
        "id": sha256(data).hexdigest()[:16],
        "first half": data[:half].hex(),
        "second half": data[half:].hex(),
        "input": np.array(PLAN["input"], np.int8).tobytes().hex(),
        "output": np.array(PLAN["output"], np.int8).tobytes().hex(),
        "operators": (count.to_bytes(4, "little") + bytes(4 * count)).hex(),
    }


class Talk:
    """One session with the firmware as a library; frames are the test's own, one for a message
    where it fits, and nothing is ever lost."""

    def __init__(self) -> None:
        self.firmware, self.session, self.seq, self.replies = VirtualFirmware(9), 0, 0, 0
        self.firmware.receive(encode(Frame(FrameType.HELLO, payload=Hello(4).pack()), 0), 0)
        self.session = session_number(4, 9)
        self.firmware.take_output()

    def frames(self, method: int, body: bytes) -> Iterator[bytes]:
        pieces = [body[at : at + 360] for at in range(0, len(body), 360)]
        for number, piece in enumerate(pieces):
            last = LAST if number == len(pieces) - 1 else 0
            frame = Frame(FrameType.DATA, last, self.seq % 256, self.replies % 256, method, piece)
            yield encode(frame, self.session)
            self.seq += 1

    def ask(self, method: int, body: bytes) -> bytes:
        for frame in self.frames(method, body):
            self.firmware.receive(frame, 0)
        [reply] = self.answers()
        assert (reply.method, reply.flags) == (method, REPLY | LAST)
        return reply.payload

    def answers(self) -> list[Frame]:
        frames = [
            decode(stuffed, self.session)
            for stuffed in self.firmware.take_output().split(b"\0")
            if stuffed
        ]
        replies = [frame for frame in frames if frame.type is FrameType.DATA]
        self.replies += len(replies)
        return replies


def message(call: dict[str, Any], part: str, known: dict[str, str]) -> bytes:
    head = call["number"].to_bytes(4, "little")
    status = bytes([call["status"], 0, 0, 0]) if part == "reply" else b""
    return head + status + bytes.fromhex(call[part].format_map(known))


def test_the_firmware_answers_these_calls():
    talk, known = Talk(), words()
    for call in CALLS["calls"]:
        reply = talk.ask(call["method"], message(call, "request", known))
        assert reply.hex() == message(call, "reply", known).hex(), call["why"]
    assert set(Method) <= {call["method"] for call in CALLS["calls"]}
    frame = encode(Frame(FrameType.ACK, ack=talk.replies % 256), talk.session)
    talk.firmware.receive(frame, 0)
    assert talk.firmware.has_restarted


def test_the_firmware_does_one_thing_at_a_time():
    talk, known, calls = Talk(), words(), CALLS["together"]["calls"]
    for call in CALLS["calls"]:
        if call["method"] in (Method.PLAN_BEGIN, Method.PLAN_CHUNK, Method.PLAN_COMMIT):
            talk.ask(call["method"], message(call, "request", known))
    asked = [talk.frames(one["method"], message(one, "request", known)) for one in calls]
    talk.firmware.receive(b"".join(frame for frames in asked for frame in frames), 0)
    replies = {reply.payload[:4]: reply.payload for reply in talk.answers()}
    for call in calls:
        expected = message(call, "reply", known)
        assert replies[expected[:4]].hex() == expected.hex()
