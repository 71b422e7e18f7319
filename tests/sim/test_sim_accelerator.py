"""One device and several on a virtual clock: good, bad, lost, full, and back again."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.bridge.jobs import Verdict
from firmware_bridge.bridge.states import State
from firmware_bridge.bridge.variants import Offer
from tests.support.bridge_rig import PLAN, SHA256, Rig
from tests.support.model_device import ModelDevice

OTHER = b"another plan " * 400


def test_a_plan_is_brought_once_and_then_addressed():
    rig = Rig(one=ModelDevice())
    assert rig.ask().verdict is Verdict.NO_DEVICE
    rig.run(20)
    assert rig.ask().verdict is Verdict.UNREADY
    rig.warm()
    chunks = rig.devices["one"].chunks
    told = [rig.ask() for _ in range(50)]
    assert {one.verdict for one in told} == {Verdict.OK}
    assert rig.devices["one"].chunks == chunks
    assert rig.pool.devices["one"].tally.answered == 51


def test_each_device_gets_the_plan_for_its_kernels():
    offer = Offer.of(PLAN, {3: OTHER})
    rig = Rig(dsp=ModelDevice(target=3), plain=ModelDevice(), unknown=ModelDevice(target=9))
    rig.run(20)
    for _ in range(100):
        for _ in range(3):
            rig.submit(offer=offer)
        rig.run(20)
    held = {name: list(device.plans) for name, device in rig.devices.items()}
    special, common = hashlib.sha256(OTHER).digest()[:8], SHA256[:8]
    assert held == {"dsp": [special], "plain": [common], "unknown": [common]}
    assert all(device.inferred > 20 for device in rig.devices.values())


def test_the_plan_that_a_device_lacks_is_asked_for_by_its_hash():
    whole = Offer.of(PLAN, {3: OTHER})
    asked = Offer(whole.variants, {SHA256: PLAN})
    rig = Rig(dsp=ModelDevice(target=3))
    assert rig.ask(offer=asked).verdict is Verdict.NO_DEVICE
    rig.run(20)
    told = rig.ask(offer=asked)
    assert (told.verdict, told.outputs) == (Verdict.UNKNOWN_PLAN, hashlib.sha256(OTHER).digest())
    assert rig.ask(offer=whole).verdict is Verdict.UNREADY


@pytest.mark.parametrize("manner", ["silent", "garbage", "noise", "other", "late", "failed"])
def test_a_device_that_misbehaves_is_left_alone_and_tried_again(manner):
    rig = Rig(one=ModelDevice())
    rig.warm()
    device, accelerator = rig.devices["one"], rig.pool.devices["one"]
    device.manner = manner
    assert rig.ask().verdict in (Verdict.LATE, Verdict.LOST)
    assert accelerator.state is State.QUARANTINED
    assert rig.ask().verdict is Verdict.NO_DEVICE
    asked = device.inferred
    rig.run(400)
    assert device.inferred == asked
    for _ in range(200):
        rig.ask()
        rig.run(100)
    assert device.inferred - asked < 12, "each failure doubles the quarantine"
    device.manner = "right"
    rig.run(60_000)
    rig.warm()
    assert all(rig.ask().verdict is Verdict.OK for _ in range(100))


def test_an_answer_given_twice_counts_once():
    rig = Rig(one=ModelDevice(manner="twice"))
    rig.warm()
    assert {rig.ask().verdict for _ in range(30)} == {Verdict.OK}


def test_a_late_answer_is_not_taken_for_the_next_call():
    rig = Rig(one=ModelDevice())
    rig.warm()
    rig.devices["one"].run_ms = 150
    assert rig.ask().verdict is Verdict.LATE
    rig.devices["one"].run_ms = 2
    rig.run(1000)
    assert rig.ask().verdict is Verdict.OK


def test_a_restarted_device_is_given_its_plan_again():
    rig = Rig(one=ModelDevice())
    rig.warm()
    first = rig.ask().epoch
    number = rig.submit()
    rig.devices["one"].restart(rig.now_ms)
    rig.run(5)
    assert rig.outcomes[number].verdict is Verdict.LOST, "told at once, not at the deadline"
    rig.run(1000)
    rig.warm()
    assert rig.ask().epoch != first
    assert rig.devices["one"].plans


def test_a_dead_device_costs_one_deadline_and_comes_back():
    rig = Rig(one=ModelDevice())
    rig.warm()
    rig.devices["one"].is_powered = False
    assert rig.ask().verdict is Verdict.LATE
    for _ in range(50):
        began_ms = rig.now_ms
        assert rig.ask().verdict is Verdict.NO_DEVICE
        assert rig.now_ms == began_ms
        rig.run(100)
    rig.devices["one"].is_powered = True
    rig.run(3000)
    rig.warm()


def test_a_port_that_goes_ends_its_jobs_at_once():
    rig = Rig(one=ModelDevice())
    rig.warm()
    numbers = [rig.submit() for _ in range(4)]
    rig.pool.devices["one"].detach("unplugged", rig.now_ms)
    rig.collect()
    verdicts = [rig.outcomes[number].verdict for number in numbers]
    assert verdicts == [Verdict.LOST, *3 * [Verdict.NO_DEVICE]]
    assert rig.pool.devices["one"].state is State.CONNECTING
    rig.plug("one")
    rig.run(1000)
    rig.warm()


def test_a_wrong_answer_keeps_a_device_away_for_long():
    rig = Rig(one=ModelDevice())
    rig.warm()
    rig.pool.distrust("one", rig.now_ms)
    rig.run(30_000)
    assert rig.ask().verdict is Verdict.NO_DEVICE
    rig.run(31_000)
    assert rig.ask().verdict is Verdict.OK


def test_the_plan_not_used_for_longest_makes_room():
    rig = Rig(one=ModelDevice(room=1))
    rig.warm()
    assert rig.ask(plan=OTHER).verdict is Verdict.UNREADY
    rig.run(50)
    assert rig.ask(plan=OTHER).verdict is Verdict.REFUSED, "what is in use is not displaced"
    assert rig.ask().verdict is Verdict.OK
    rig.run(12_000)
    rig.warm(OTHER)
    assert list(rig.devices["one"].plans) == [hashlib.sha256(OTHER).digest()[:8]]


def test_a_plan_that_a_device_refuses_is_brought_once():
    rig = Rig(one=ModelDevice(refuses=PLAN))
    rig.run(20)
    rig.ask()
    rig.run(100)
    chunks = rig.devices["one"].chunks
    assert {rig.ask().verdict for _ in range(20)} == {Verdict.REFUSED}
    assert rig.devices["one"].chunks == chunks
    rig.warm(OTHER)


def test_work_goes_where_the_plan_is_and_spreads_under_load():
    rig = Rig(one=ModelDevice(run_ms=20), two=ModelDevice(run_ms=20))
    rig.warm()
    holders = [name for name, one in rig.devices.items() if one.plans]
    assert len(holders) == 1
    for _ in range(5):
        assert rig.ask().where == holders[0]
    for _ in range(3):
        rig.submit(2000)
    rig.run(500)
    assert all(one.plans for one in rig.devices.values())
    numbers = [rig.submit(2000) for _ in range(6)]
    rig.run(500)
    places = [rig.outcomes[number].where for number in numbers]
    assert sorted(places) == 3 * ["one"] + 3 * ["two"]


def test_a_sick_device_does_not_stop_its_neighbour():
    rig = Rig(one=ModelDevice(), two=ModelDevice())
    rig.warm()
    sick = next(name for name, one in rig.devices.items() if one.plans)
    rig.devices[sick].manner = "silent"
    rig.ask()
    rig.warm()
    told = rig.ask()
    assert (told.verdict, told.where == sick) == (Verdict.OK, False)


def test_a_queue_is_bounded():
    rig = Rig(one=ModelDevice(run_ms=1000))
    rig.pool.devices["one"].residency.used(SHA256, 0)
    rig.run(30)
    rig.devices["one"].plans[SHA256[:8]] = PLAN
    rig.pool.devices["one"].residency.used(SHA256, 0)
    numbers = [rig.submit(5000) for _ in range(30)]
    busy = [n for n in numbers if n in rig.outcomes and rig.outcomes[n].verdict is Verdict.BUSY]
    assert len(busy) == 30 - 9
    rig.run(6000)
    assert len(rig.outcomes) == 30


MANNERS = st.sampled_from(["right", "silent", "garbage", "noise", "other", "late", "twice"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(1, 150)),
        st.tuples(st.just("rest"), st.integers(1, 3000)),
        st.tuples(st.just("manner"), MANNERS),
        st.tuples(st.just("restart"), st.none()),
        st.tuples(st.just("power"), st.booleans()),
        st.tuples(st.just("unplug"), st.none()),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_whatever_happens_each_job_ends_once_in_time_and_right(steps):
    rig = Rig(one=ModelDevice(), two=ModelDevice(boot_nonce=50))
    rig.run(20)
    for verb, argument in steps:
        device = rig.devices["one"]
        match verb:
            case "ask":
                rig.ask(argument)
            case "rest":
                rig.run(argument)
            case "manner":
                device.manner = argument
            case "restart":
                device.restart(rig.now_ms)
            case "power":
                device.is_powered = argument
            case "unplug":
                rig.pool.devices["one"].detach("unplugged", rig.now_ms)
                rig.plug("one")
    rig.run(200)
    assert len(rig.outcomes) == len(rig.asked)
    rig.devices["two"].manner = "right"
    rig.warm()
