"""Faults of a board in random order, for long; and a liar that comes to be believed again."""

import os
import random
import signal

import numpy as np

from broker.adapters.private_broker import RunningBroker
from tests.support.agents import Bench
from tests.support.chaos import Board, Fake, Truth, closing
from tests.support.chaos_world import chaos, pipeline

FAULTS = 200
SEED = 4


def truth_of(bench: Bench) -> Truth:
    return Truth(pipeline(bench), bench.model.read_bytes(), np.load(bench.images))


def test_a_board_under_many_faults(mosquitto: RunningBroker, bench: Bench) -> None:
    board, chance, truth = Board(bench.folder), random.Random(SEED), truth_of(bench)
    counts = dict.fromkeys(("pause", "reset", "crash", "pull", "power", "kill"), 0)
    with closing(board), chaos(bench, mosquitto, truth, board.line.name) as world:

        def signalled(number: int) -> None:
            os.kill(board.process.pid, number)

        faults = {
            "pause": (lambda: signalled(signal.SIGSTOP), lambda: signalled(signal.SIGCONT)),
            "reset": (board.reset, lambda: None),
            "crash": (board.crash, lambda: None),
            "pull": (board.line.pull, board.line.plug),
            "power": (board.power_off, board.power_on),
            "kill": (world.kill_bridge, lambda: None),
        }
        for _ in range(FAULTS):
            name = chance.choice(sorted(faults))
            counts[name] += 1
            world.through(*faults[name])
        world.judge()
        print(f"\nseed {SEED}: {counts}, {len(world.results)} answers")


def test_a_liar_is_believed_again_when_it_is_honest(mosquitto: RunningBroker, bench: Bench) -> None:
    truth = truth_of(bench)
    fake = Fake(bench.folder, truth.compute)
    with closing(fake), chaos(bench, mosquitto, truth, fake.line.name) as world:
        world.until("m4")
        fake.behave("wrong", anew=True)
        world.until(None, 60)
        fake.behave("right", anew=True)
        world.until("m4")
        world.judge()
