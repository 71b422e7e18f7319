"""An aggregator that is killed after every event, or hears updates in any order, ends the same.

The disk is real SQLite; a crash is a new process on what was committed. Devices do what the
contract asks of them: they send again what nobody acknowledged.
"""

import random
from dataclasses import replace

import pytest

from broker.aggregator.job.machine import State
from broker.contract.federated.job import PrivacySpec, RobustSpec, StrategySpec
from tests.support.aggregation import Bench, job, update

DEVICES = [f"pi-{n}" for n in range(4)]
VARIANTS = {
    "fedavg int8": job(),
    "fedadam top_k": job(codec="top_k", strategy=StrategySpec("fedadam")),
    "scaffold one_bit": job(codec="one_bit", strategy=StrategySpec("scaffold", {"devices": 9})),
    "median f32": job(codec="f32", robust=RobustSpec("median")),
    "krum int8": job(robust=RobustSpec("krum", {"liars": 0, "keep": 3})),
    "central random_k": job(
        codec="random_k", privacy=PrivacySpec("central", clip_norm=0.5, noise_multiplier=1.0)
    ),
}


def run(bench: Bench, script, crash_at=()) -> bytes:
    """Play a script of (device, slice); after event n of `crash_at`, the process is gone.

    Commits come after every third event, so crashes fall between a slice and its commit, too.
    """
    event = 0
    for _ in range(bench.spec.rounds):
        number = bench.at.job.number
        for _ in range(40):
            pending = [
                (d, n)
                for d, n in script(number)
                if bench.at.job.number == number and not counted(bench, d)
            ]
            for device, n in pending:
                if bench.at.job.number != number or bench.at.job.round is None:
                    break
                bench.send(device, [n], number)
                event += 1
                if event in crash_at:
                    bench.restart()
                elif event % 3 == 0:
                    bench.commit()
            bench.commit()
            if bench.at.job.number != number or bench.at.job.round is None:
                break
    assert bench.at.job.state is State.DONE
    assert [each.updates for each in bench.at.job.history] == [len(DEVICES)] * bench.spec.rounds
    return bench.model


def counted(bench: Bench, device: str) -> bool:
    ack = bench.at.round.senders.get(device) if bench.at.round else None
    return ack is not None and ack.ack is not None


def in_order(spec):
    return lambda _: [(d, n) for d in DEVICES for n in range(spec.cut.count)]


def interleaved(spec, seed):
    def script(number):
        steps = in_order(spec)(number)
        random.Random(f"{seed}/{number}").shuffle(steps)
        return steps

    return script


@pytest.mark.parametrize("name", VARIANTS)
def test_any_order_of_arrival_gives_the_same_model(name, tmp_path):
    spec = VARIANTS[name]
    truth = run(Bench(spec, tmp_path / "truth"), in_order(spec))
    for seed in range(10):
        bench = Bench(spec, tmp_path / f"{seed}")
        assert run(bench, interleaved(spec, seed)) == truth
        bench.store.close()


def test_ten_rounds_in_fifty_orders_give_the_same_model(tmp_path):
    spec = replace(VARIANTS["fedadam top_k"], rounds=10)
    models = {run(Bench(spec, None), interleaved(spec, seed)) for seed in range(50)}
    assert models == {run(Bench(spec, None), in_order(spec))}


@pytest.mark.parametrize("seed", range(20))
def test_rounds_close_at_quorum_whichever_devices_die(seed, tmp_path):
    """Devices die between two slices; the model is that of those which did not."""
    chance = random.Random(seed)
    wanted = replace(job().participation, retries=1000)
    spec = job(participation=wanted)
    bench, calm = Bench(spec, tmp_path / "job"), Bench(spec, None)
    updates = []
    while bench.at.job.round is not None:
        number = bench.at.job.number
        sent = {d: chance.choice((0, 1, 2, spec.cut.count, spec.cut.count)) for d in DEVICES}
        steps = [(d, n) for d, count in sent.items() for n in range(count)]
        chance.shuffle(steps)
        whole = [d for d, count in sent.items() if count == spec.cut.count]
        for device, n in steps:
            bench.send(device, [n], number)
        for device in whole:
            calm.send(device)
        for each in (bench, calm):
            if each.at.job.number == number:
                assert len(whole) < wanted.goal, "an open round waits for more"
                each.now_ms = each.at.due_ms
                each.at.tick(each.now_ms)
            each.commit()
        if len(whole) >= wanted.quorum:
            updates.append(len(whole))
        assert [each.updates for each in bench.at.job.history] == updates
        assert bench.model == calm.model
    assert bench.at.job.state is State.DONE
    assert len(updates) == spec.rounds


@pytest.mark.parametrize("name", VARIANTS)
def test_a_crash_after_any_event_changes_nothing(name, tmp_path):
    spec = replace(VARIANTS[name], rounds=2)
    script = interleaved(spec, 1)
    truth = run(Bench(spec, tmp_path / "truth"), script)
    events = 2 * len(script(1))
    for at in range(1, events + 1, 1 if name == "fedavg int8" else 5):
        bench = Bench(spec, tmp_path / f"{at}")
        assert run(bench, script, {at, at + 1, at + 7}) == truth, at
        bench.store.close()


def test_what_was_acknowledged_is_not_lost(tmp_path):
    bench = Bench(job(), tmp_path / "job")
    bench.send("pi-0")
    assert bench.ack("pi-0") is None, "no word before the commit"
    bench.commit()
    assert bench.ack("pi-0").counted
    bench.send("pi-1")
    bench.restart()
    assert bench.at.round.counted == 1
    bench.send("pi-0", [0])
    bench.commit()
    assert bench.ack("pi-0").counted
    assert bench.at.round.duplicates == 1
    for device in DEVICES[1:]:
        bench.send(device)
    bench.commit()
    assert bench.at.job.history[0].updates == len(DEVICES)


def test_the_clock_of_a_round_survives(tmp_path):
    bench = Bench(job(), tmp_path / "job")
    for device in DEVICES[:2]:
        bench.send(device)
    bench.commit()
    due_ms = bench.at.due_ms
    bench.now_ms += 50_000
    bench.restart()
    assert bench.at.due_ms == due_ms
    bench.at.tick(bench.now_ms)
    assert bench.at.job.number == 1
    bench.now_ms = due_ms
    bench.at.tick(bench.now_ms)
    bench.commit()
    assert bench.at.job.number == 2
    assert bench.at.job.history[0].updates == 2
    late = update(bench.spec, "pi-3", 1, bench.seed)
    bench.at.receive(1, "pi-3", 0, late[0], bench.now_ms)
    bench.commit()
    assert "round 1 is not open" in bench.ack("pi-3").refused
