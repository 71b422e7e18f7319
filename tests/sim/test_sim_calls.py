"""Calls to the firmware's own C over a simulated line: every answer right, every call done once."""

import pytest

from firmware_bridge.link.faults import FaultRates
from tests.support.called_firmware import Called

CALLS = 400


@pytest.mark.parametrize(
    "rates",
    [
        FaultRates(),
        FaultRates(corrupt=1e-4),
        FaultRates(corrupt=1e-2),
        FaultRates(corrupt=1e-3, drop=2e-3, duplicate=0.05, delay=0.02, split=0.2),
    ],
    ids=["clean", "1e-4", "1e-2", "everything"],
)
def test_no_answer_is_wrong(rates):
    """`tests/campaign/test_link_campaign.py` asks for 100,000 at each rate of errors."""
    called = Called(rates, seed=1)
    called.run(CALLS)
    line = called.line
    print(
        f"{rates}: {called.answers} answers, {called.sessions} sessions, "
        f"{line.now_us / 1e6:.1f} s on the line, {sum(wire.bytes for wire in line.wires)} bytes"
    )
    assert called.wrong == []
    assert called.answers >= CALLS
    assert called.stats > CALLS / 20


def test_a_call_is_done_once_though_sessions_end_in_the_middle_of_it():
    called = Called(FaultRates(corrupt=1e-4), seed=3)
    called.run(5)
    for cut in range(12):
        called.lose_session(direction=cut % 2)
        called.line.run(lambda goal=called.answers + 10: called.answers >= goal, limit_s=1000)
    print(f"{called.sessions} sessions, {called.answers} answers")
    assert called.sessions > 12
    assert called.wrong == []


def test_a_call_that_is_done_twice_would_be_seen():
    called = Called(FaultRates(), seed=2)
    called.run(5)
    called.do_one_more()
    called.line.run(lambda: called.answers >= 12, limit_s=60)
    assert called.wrong
