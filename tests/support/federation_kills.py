"""A job whose agents and aggregator are killed at random, and what must hold all the same."""

import random
import time
from collections import Counter
from pathlib import Path

import numpy as np

from broker.adapters.private_broker import RunningBroker
from tests.support.agents import RunningAgent
from tests.support.aggregator_rig import Process
from tests.support.federation import PARAMETERS, Learner, Watch, digits, job, samples_of

DEVICES = 3
NOISY = {"mode": "local", "clip_norm": 5.0, "noise_multiplier": 0.01}
"""With noise of its own, every update of a device is another one."""

LIFE_S = (0.3, 6.0)
AIMED = 0.4
"""Of the kills, those that hit a device in the middle of its slices."""

PATIENCE_S = 900.0


def run_killed(
    broker: RunningBroker, folder: Path, rounds: int, kills: int, seed: int
) -> Counter[str]:
    """Run a job to its end; return how often each was killed, and when.

    Of each round every device must be counted once, and whatever it sent for a place of an update,
    before and after its deaths, must be the same bytes.
    """
    chance = random.Random(seed)
    known, _ = digits()
    folder.mkdir(exist_ok=True)
    devices = [
        Learner(folder, f"pi-{n}", samples_of(known, np.arange(60 * n, 60 * n + 60)))
        for n in range(DEVICES)
    ]
    port, died = broker.address.port, Counter[str]()
    aggregator = Process(broker.url, folder / "aggregator")
    agents: list[RunningAgent] = []
    try:
        with Watch(port) as watch:
            agents += [device.start(port) for device in devices]
            local = {"epochs": 20, "batch": 4, "learning_rate": 0.02}
            tree = job(DEVICES, rounds, privacy=NOISY, evaluation={}, slice_parameters=4)
            watch.start_job(tree | {"local": local, "deadline_s": PATIENCE_S})
            give_up_at = time.monotonic() + PATIENCE_S
            while not watch.is_over():
                assert time.monotonic() < give_up_at, (died, watch.jobs[-1:], watch.statuses)
                time.sleep(chance.uniform(*LIFE_S))
                if died.total() >= kills or watch.is_over():
                    continue
                place = chance.randrange(DEVICES + 1)
                if chance.random() < AIMED:
                    place = _sender(watch)
                if place == DEVICES:
                    aggregator.kill()
                    died["aggregator"] += 1
                    continue
                told = watch.learning(f"pi-{place}")
                sent = watch.sent(f"pi-{place}", watch.round())
                agents[place].kill()
                is_sending = 0 < len(sent) < -(-PARAMETERS // 4)
                state = told.state if told else "starting"
                died["sending" if is_sending else state] += 1
                agents[place] = devices[place].start(port)
            _check(watch, rounds)
    finally:
        for agent in agents:
            agent.__exit__()
        aggregator.stop()
    return died


def _sender(watch: Watch) -> int:
    """Wait until somebody begins to send, and say who."""
    seen, until = len(watch.slices), time.monotonic() + 10
    while len(watch.slices) == seen and time.monotonic() < until:
        time.sleep(0.001)
    return int(watch.slices[-1][1].removeprefix("pi-")) if watch.slices else 0


def _check(watch: Watch, rounds: int) -> None:
    status = watch.jobs[-1]
    told = [(report.updates, report.examples) for report in status.history]
    assert told == [(DEVICES, DEVICES)] * rounds, status.history
    for report in status.history:
        for place in range(DEVICES):
            sent = watch.sent(f"pi-{place}", report.number)
            assert len(sent) == -(-PARAMETERS // 4)
            twice = [number for number, found in sent.items() if len(found) > 1]
            assert not twice, f"pi-{place} sent two updates in round {report.number}: {twice[:5]}"
