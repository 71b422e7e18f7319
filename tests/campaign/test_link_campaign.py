"""The link at length: a million frames on both sides, 100,000 calls at each rate of errors."""

import time
from collections import Counter

import pytest

from firmware_bridge.link.faults import FaultRates
from tests.support.called_firmware import Called
from tests.support.link_fuzz import (
    compare_sessions,
    compare_verdicts,
    device_peak_bytes,
    host_against_liar,
    host_peak_bytes,
)

FRAMES = 1_000_000
CALLS = 100_000


def test_a_million_frames_in_sessions():
    frames, told, seed, began = 0, Counter[str](), 10_000, time.monotonic()
    while frames < FRAMES:
        more, events = compare_sessions(seed, 5000)
        frames, told, seed = frames + more, told + events, seed + 1
    print(f"\n{frames} frames, seeds 10000 to {seed - 1}: {dict(told)}, {since(began)}")


def test_a_million_suspects_in_the_decoders():
    told, seeds, began = Counter[str](), range(FRAMES // 20_000), time.monotonic()
    for seed in seeds:
        told += compare_verdicts(seed, 20_000)
    print(f"\n{told.total()} suspects, {seeds}: {dict(told)}, {since(began)}")
    assert told.total() == FRAMES


def test_a_million_frames_of_devices_that_lie():
    frames, told, seed, began = 0, Counter[str](), 20_000, time.monotonic()
    while frames < FRAMES:
        more, events = host_against_liar(seed, 5000)
        frames, told, seed = frames + more, told + events, seed + 1
    print(f"\n{frames} frames, seeds 20000 to {seed - 1}: {dict(told)}, {since(began)}")


def test_memory_stays_where_it_is():
    device, host = device_peak_bytes(1, 40_000), host_peak_bytes(1, 20_000)
    print(f"\nat most {device} bytes in the device's session, {host} in the host's and its calls'")
    assert device < 1 << 20
    assert host < 4 << 20


@pytest.mark.parametrize("corrupt", [0.0, 1e-4, 1e-2])
def test_100_000_calls(corrupt):
    began, called = time.monotonic(), Called(FaultRates(corrupt=corrupt), seed=77)
    called.run(CALLS)
    print(
        f"\nbyte errors {corrupt:g}: {called.answers} answers and {called.stats} others, "
        f"{len(called.wrong)} wrong, {called.sessions} sessions, "
        f"{called.line.now_us / 1e6:.0f} s on the line, {since(began)}"
    )
    assert called.wrong == []


def since(began: float) -> str:
    return f"{time.monotonic() - began:.0f} s"
