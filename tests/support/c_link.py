"""The firmware's link behind a pipe, with the interface of the Python model, under sanitizers."""

import hashlib
import shlex
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from os import environ
from pathlib import Path

from firmware_bridge.link.conversation import Fragment
from firmware_bridge.link.device import Device
from firmware_bridge.link.events import Closed, Event, Opened
from firmware_bridge.link.frame import Frame, FrameType, Verdict, decode
from firmware_bridge.link.opening import Hello, Reason

FIRMWARE = Path(__file__).parents[2] / "firmware_bridge" / "firmware"
CACHE = Path(__file__).parents[2] / ".cache" / "link"
FLAGS = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow")
SANITIZERS = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@cache
def replay() -> Path:
    """The program, built unless it is in the cache."""
    sources = [*sorted((FIRMWARE / "link").glob("*.c")), Path(__file__).with_name("link_replay.c")]
    headers = sorted((FIRMWARE / "link").glob("*.h"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in (*sources, *headers)))
    target = CACHE / digest.hexdigest()[:16] / "replay"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            made = Path(folder) / target.name
            compiler = shlex.split(environ.get("CC", "cc"))
            words = [*compiler, *FLAGS, *SANITIZERS, f"-I{FIRMWARE}", *sources, "-o", made]
            subprocess.run(words, check=True)
            made.replace(target)
    return target


@dataclass(frozen=True)
class Command:
    """One call of the link: receive, poll, start, reply or decode."""

    kind: int
    now_ms: int = 0
    data: bytes = b""

    def pack(self) -> bytes:
        return struct.pack("<III", self.kind, self.now_ms, len(self.data)) + self.data


RECEIVE, POLL, START, REPLY, DECODE = range(5)


@dataclass(frozen=True)
class Outcome:
    """What one call wrote and told."""

    written: bytes
    events: tuple[Event | Frame | Verdict, ...]


def run_c(commands: list[Command], boot_nonce: int) -> list[Outcome]:
    """What the C side makes of commands."""
    told = subprocess.run(
        [replay(), str(boot_nonce)],
        input=b"".join(command.pack() for command in commands),
        capture_output=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr.decode()[-2000:]
    outcomes, at = [], 0
    while at < len(told.stdout):
        (count,) = struct.unpack_from("<I", told.stdout, at)
        outcomes.append(_outcome(told.stdout[at + 4 : at + 4 + count]))
        at += 4 + count
    return outcomes


def _outcome(records: bytes) -> Outcome:
    written, events, at = b"", [], 0
    while at < len(records):
        kind, length = struct.unpack_from("<BH", records, at)
        body = records[at + 3 : at + 3 + length]
        at += 3 + length
        if kind == ord("w"):
            written += body
        else:
            events.append(_event(chr(kind), body))
    return Outcome(written, tuple(events))


def _event(kind: str, body: bytes) -> Event | Frame | Verdict:
    if kind == "o":
        return Opened(Hello(0))
    if kind == "c":
        return Closed(Reason(body[0]))
    if kind == "f":
        method, *flags = struct.unpack_from("<HBBB", body)
        return Fragment(method, bool(flags[0]), body[5:], bool(flags[1]), bool(flags[2]))
    if body[0]:
        return Verdict(body[0])
    _, number, flags, seq, ack, method = struct.unpack_from("<BBBBBH", body)
    return Frame(FrameType(number), flags, seq, ack, method, body[7:])


def run_python(commands: list[Command], boot_nonce: int) -> list[Outcome]:
    """What the Python model makes of the same."""
    device = Device(boot_nonce)
    return [_apply(device, command) for command in commands]


def _apply(device: Device, command: Command) -> Outcome:
    events: list[Event | Frame | Verdict] = []
    if command.kind == RECEIVE:
        events += device.receive(command.data, command.now_ms)
    elif command.kind == POLL:
        events += device.poll(command.now_ms)
    elif command.kind == START:
        device.start(command.now_ms)
    elif command.kind == DECODE:
        session = int.from_bytes(command.data[:4], "little")
        events.append(decode(command.data[4:], session))
    elif len(command.data) >= 2:
        device.send(int.from_bytes(command.data[:2], "little"), command.data[2:])
    events = [Opened(Hello(0)) if isinstance(event, Opened) else event for event in events]
    return Outcome(device.take_output(), tuple(events))
