"""The firmware's link in C, under ASan and UBSan, against the Python model of it."""

from collections import Counter

import pytest

from tests.support.c_link import DECODE, Command, run_c, run_python
from tests.support.link_chaos import BOOT_NONCE, Chaos


@pytest.mark.parametrize("seed", range(8))
def test_both_sides_write_and_tell_the_same(seed):
    chaos = Chaos(seed)
    commands = chaos.commands(1500)
    ours, theirs = run_python(commands, BOOT_NONCE), run_c(commands, BOOT_NONCE)
    for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        assert one == other, f"command {number}: {commands[number]}"
    told = Counter(type(event).__name__ for outcome in ours for event in outcome.events)
    assert min(told[name] for name in ("Opened", "Closed", "Fragment")) > 5, told
    assert chaos.frames > 1500


def test_a_decoder_that_differs_would_be_seen():
    sound = run_c([Command(DECODE, 0, bytes(4) + b"\x01")], 0)
    assert sound == run_python([Command(DECODE, 0, bytes(4) + b"\x01")], 0)
    assert sound != run_python([Command(DECODE, 0, bytes(4) + b"\x03\x01")], 0)
