"""A pipeline on a microcontroller to which everything happens: no gap, nothing wrong, and back."""

import os
import signal

import numpy as np
import pytest

from broker.adapters.private_broker import RunningBroker
from tests.support.agents import Bench
from tests.support.chaos import Board, Fake, Truth, closing
from tests.support.chaos_world import PARDON, chaos, pipeline


@pytest.fixture
def truth(bench: Bench) -> Truth:
    return Truth(pipeline(bench), bench.model.read_bytes(), np.load(bench.images))


def test_a_board_that_is_paused_killed_reset_crashed_and_unplugged(
    mosquitto: RunningBroker, bench: Bench, truth: Truth
) -> None:
    board = Board(bench.folder)
    with closing(board), chaos(bench, mosquitto, truth, board.line.name) as world:
        pause = lambda number: os.kill(board.process.pid, number)  # noqa: E731
        world.through(lambda: pause(signal.SIGSTOP), lambda: pause(signal.SIGCONT))
        world.through(board.reset, lambda: None)
        world.through(board.crash, lambda: None)
        world.through(board.line.pull, board.line.plug)
        world.through(board.power_off, board.power_on)
        world.judge()


MANNERS = ("silent", "garbage", "noise", "other", "late", "failed")


def test_a_device_that_answers_garbage_late_twice_or_for_another_call(
    mosquitto: RunningBroker, bench: Bench, truth: Truth
) -> None:
    fake = Fake(bench.folder, truth.compute)
    with closing(fake), chaos(bench, mosquitto, truth, fake.line.name) as world:
        for manner in MANNERS:
            world.through(lambda manner=manner: fake.behave(manner), lambda: fake.behave("right"))
        world.until("m4", PARDON)
        fake.behave("twice")
        world.until("m4", PARDON)
        world.judge()


def test_a_device_that_comes_back_as_a_liar_is_not_believed(
    mosquitto: RunningBroker, bench: Bench, truth: Truth
) -> None:
    fake = Fake(bench.folder, truth.compute)
    with closing(fake), chaos(bench, mosquitto, truth, fake.line.name) as world:
        world.until("m4")
        fake.behave("wrong", anew=True)
        world.until(None, 60)
        world.judge()


def test_a_bridge_that_is_paused_and_killed(
    mosquitto: RunningBroker, bench: Bench, truth: Truth
) -> None:
    fake = Fake(bench.folder, truth.compute)
    with closing(fake), chaos(bench, mosquitto, truth, fake.line.name) as world:
        world.through(world.kill_bridge, lambda: None)
        world.through(world.pause_bridge, world.resume_bridge)
        world.judge()
