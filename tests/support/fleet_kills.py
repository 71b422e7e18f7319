"""A federated job whose devices lose power again and again."""

import random
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from broker.contract.federated.round import JobStatus
from tests.support.agents import RunningAgent
from tests.support.federation import Learner, Watch, accuracy, digits, job, samples_of

DEVICES, QUORUM = 4, 2
AT_WORK = ("fetching", "training", "uploading")


@dataclass
class Played:
    """What came of a job; `kills` says in which state devices were when they died."""

    status: JobStatus
    accuracy: float
    kills: dict[str, int]


def play(port: int, folder: Path, rounds: int, kills: int, seed: int, deadline_s: int) -> Played:
    """Play a job to its end; each kill is a SIGKILL of a whole agent, or of its learner.

    A round closes at once if all devices have sent, else at its deadline by quorum. A dead device
    has power again after up to one and a half times as long.
    """
    chance = random.Random(seed)
    known, judges = digits()
    shares = np.array_split(np.arange(400), DEVICES)
    learners = [
        Learner(folder, f"pi-{n}", samples_of(known, share)) for n, share in enumerate(shares)
    ]
    agents = {learner.device: learner.start(port) for learner in learners}
    down: dict[str, float] = {}
    done: dict[str, int] = {}
    with Watch(port) as watch:
        try:
            tree = job(DEVICES, rounds, deadline_s=deadline_s)
            tree["participation"] |= {"quorum": QUORUM, "retries": 100}
            tree["local"] |= {"epochs": 60}
            watch.start_job(tree)
            give_up_at = time.monotonic() + 120 + 3 * deadline_s * rounds
            next_at = time.monotonic() + 1
            while not watch.is_over():
                assert time.monotonic() < give_up_at, watch.jobs[-1:]
                time.sleep(0.02)
                now = time.monotonic()
                for learner in learners:
                    if down.get(learner.device, now + 1) <= now:
                        del down[learner.device]
                        agents[learner.device] = learner.start(port)
                up = [device for device in agents if device not in down]
                if sum(done.values()) < kills and now > next_at and len(up) > QUORUM:
                    states = {d: told.state for d in up if (told := watch.learning(d)) is not None}
                    busy = [d for d, state in states.items() if state in AT_WORK]
                    if not watch.rounds or not (busy or chance.random() < 0.02):
                        continue
                    victim = chance.choice(busy or up)
                    state = states.get(victim, "starting")
                    done[state] = done.get(state, 0) + 1
                    _die(agents[victim], chance)
                    if agents[victim].process.poll() is not None:
                        down[victim] = now + chance.uniform(0.2, 1.5 * deadline_s)
                    next_at = now + chance.uniform(0.1, 1.5)
            status = watch.jobs[-1]
            found = accuracy(watch.blob(status.model), judges)
        finally:
            for agent in agents.values():
                agent.__exit__()
    return Played(status, found, done)


def _die(agent: RunningAgent, chance: random.Random) -> None:
    """Power fails, or only a learner crashes."""
    children = agent.children()
    if children and chance.random() < 0.3:
        chance.choice(children).kill()
    else:
        agent.kill()
