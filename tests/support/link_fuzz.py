"""Runs of chaos against both sides of the link, counted."""

import tracemalloc
from collections import Counter
from itertools import count
from random import Random

from firmware_bridge.calls.client import Client
from firmware_bridge.calls.methods import Method
from firmware_bridge.link.device import Device
from firmware_bridge.link.frame import Verdict
from firmware_bridge.link.host import Host
from tests.support.c_link import RECEIVE, run_c, run_python
from tests.support.link_chaos import BOOT_NONCE, Chaos, suspects
from tests.support.lying_device import LyingDevice

CALL_MS = 5000


def compare_sessions(seed: int, commands: int) -> tuple[int, Counter[str]]:
    """One chaos against the C session and the Python one; returns frames, and what was told."""
    chaos = Chaos(seed)
    made = chaos.commands(commands)
    ours, theirs = run_python(made, BOOT_NONCE), run_c(made, BOOT_NONCE)
    for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        assert one == other, f"seed {seed}, command {number}: {made[number]}"
    told = Counter(type(event).__name__ for outcome in ours for event in outcome.events)
    return chaos.frames, told


def compare_verdicts(seed: int, count: int) -> Counter[str]:
    """The same suspects for both decoders; returns how often which verdict came."""
    made = suspects(Random(seed), count)
    ours, theirs = run_python(made, 0), run_c(made, 0)
    for one, other, command in zip(ours, theirs, made, strict=True):
        assert one == other, f"seed {seed}: {command.data.hex()}"
    told = (outcome.events[0] for outcome in ours)
    return Counter(one.name if isinstance(one, Verdict) else "FRAME" for one in told)


def device_peak_bytes(seed: int, commands: int) -> int:
    """Most memory that the Python device holds while chaos talks to it."""
    made = Chaos(seed).commands(commands)
    device = Device(BOOT_NONCE)
    tracemalloc.start()
    try:
        for command in made:
            if command.kind == RECEIVE:
                device.receive(command.data, command.now_ms)
            device.poll(command.now_ms)
            device.take_output()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def host_against_liar(seed: int, rounds: int) -> tuple[int, Counter[str]]:
    """A host with calls open, and a device that lies; returns its frames, and what was told."""
    liar, nonces, told, now_ms = LyingDevice(seed), count(seed), Counter[str](), 0
    client = Client(Host(lambda: next(nonces)), seed)
    asked: set[int] = set()
    for number in range(rounds):
        now_ms += liar.random.choice((0, 1, 5, 50, 300))
        if client.open_calls < 4:
            method = liar.random.choice((Method.STAT, Method.INFER, Method.PLAN_BEGIN))
            asked.add(client.call(method, bytes(number % 900), now_ms, CALL_MS))
        events = client.receive(liar.answer(client.take_output()), now_ms)
        for event in [*events, *client.poll(now_ms)]:
            told[type(event).__name__] += 1
            if hasattr(event, "number"):
                asked.remove(event.number)  # each call ends once
    return liar.frames, told


def host_peak_bytes(seed: int, rounds: int) -> int:
    """Most memory that a host holds while a device lies to it."""
    tracemalloc.start()
    try:
        host_against_liar(seed, rounds)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
