"""The firmware's link in C, under ASan and UBSan, against the Python model of it.

`tests/campaign/test_link_campaign.py` sends a million frames.
"""

from collections import Counter

import pytest

from firmware_bridge.link.frame import LAST, Frame, FrameType, Verdict, encode
from firmware_bridge.link.opening import Hello, session_number
from tests.support.c_link import DECODE, RECEIVE, Command, run_c, run_python
from tests.support.link_chaos import BOOT_NONCE
from tests.support.link_fuzz import (
    compare_sessions,
    compare_verdicts,
    device_peak_bytes,
    host_against_liar,
    host_peak_bytes,
)

PEAK_BYTES = 1 << 20


@pytest.mark.parametrize("seed", range(8))
def test_both_sides_write_and_tell_the_same(seed):
    frames, told = compare_sessions(seed, 1500)
    assert min(told[name] for name in ("Opened", "Closed", "Fragment")) > 5, told
    assert frames > 1500


def test_both_decoders_have_the_same_verdict():
    told = compare_verdicts(1, 5000)
    print(dict(told))
    assert set(told) == {verdict.name for verdict in Verdict}
    assert min(told.values()) > 5


def test_a_decoder_that_differs_would_be_seen():
    sound = run_c([Command(DECODE, 0, bytes(4) + b"\x01")], 0)
    assert sound == run_python([Command(DECODE, 0, bytes(4) + b"\x01")], 0)
    assert sound != run_python([Command(DECODE, 0, bytes(4) + b"\x03\x01")], 0)


def test_a_host_endures_a_device_that_lies():
    told = sum((host_against_liar(seed, 500)[1] for seed in range(4)), Counter())
    assert min(told[name] for name in ("Up", "Down", "Replied", "Expired")) > 5, told


def test_memory_is_bounded_on_both_ends():
    """A message of a liar may grow to a megabyte; nothing else is kept for long."""
    few, many = device_peak_bytes(5, 500), device_peak_bytes(5, 3000)
    assert many < min(PEAK_BYTES, 2 * few + 50_000)
    assert host_peak_bytes(5, 1500) < 3 * PEAK_BYTES


@pytest.mark.parametrize("run", [run_c, run_python], ids=["c", "python"])
def test_a_frame_cut_anywhere_costs_no_other(run):
    """Wherever the line breaks off, the next whole frame is taken."""
    nonce = 5
    hello = encode(Frame(FrameType.HELLO, payload=Hello(nonce).pack()), 0)
    session = session_number(nonce, BOOT_NONCE)
    whole = encode(Frame(FrameType.DATA, LAST, 0, 0, 1, bytes(range(60))), session)
    for cut in range(len(whole)):
        commands = [Command(RECEIVE, 0, piece) for piece in (hello, whole[:cut], whole)]
        *_, broken, taken = run(commands, BOOT_NONCE)
        fragments = [*broken.events, *taken.events]
        assert [one.payload for one in fragments] == [bytes(range(60))], cut
