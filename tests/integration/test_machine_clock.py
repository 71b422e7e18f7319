"""Whether the clock is set, as the kernel, timesyncd and a second reading of adjtimex(2) say."""

import ctypes
from ctypes import Structure, c_byte, c_int, c_long, c_uint

import pytest

from agent.adapters import machine

UNSYNCHRONIZED = 0x40  # STA_UNSYNC


class Timex(Structure):
    _fields_ = [
        ("modes", c_uint),
        *[(name, c_long) for name in ("offset", "freq", "maxerror", "esterror")],
        ("status", c_int),
        ("rest", c_byte * 400),
    ]


def test_the_kernel_is_asked_and_nothing_is_set():
    before, after = Timex(), Timex()
    ctypes.CDLL(None).adjtimex(ctypes.byref(before))
    state = machine._kernel_time_state()
    ctypes.CDLL(None).adjtimex(ctypes.byref(after))
    assert (before.status, before.freq) == (after.status, after.freq)
    assert (state == machine._TIME_ERROR) == bool(before.status & UNSYNCHRONIZED)


@pytest.mark.parametrize(
    ("state", "has_mark", "is_synced"),
    [(0, False, True), (4, False, True), (5, False, False), (-1, False, False), (5, True, True)],
)
def test_kernel_or_mark(monkeypatch, tmp_path, state, has_mark, is_synced):
    mark = tmp_path / "synchronized"
    if has_mark:
        mark.touch()
    monkeypatch.setattr(machine, "SYNC_MARK", mark)
    monkeypatch.setattr(machine, "_kernel_time_state", lambda: state)
    assert machine.clock_is_synced() == is_synced
