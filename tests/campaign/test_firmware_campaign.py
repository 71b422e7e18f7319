"""Four models on the emulated board, 100 inputs each; and a million pieces of nonsense."""

import time

import numpy as np
import pytest

from firmware_bridge.adapters.attached import Attached
from firmware_bridge.adapters.emulator import Emulator
from firmware_bridge.adapters.serial_port import SerialPort
from tests.support.boards import compare_on_board, image, plan_of
from tests.support.engine import MODEL_NAMES
from tests.support.engine_cases_state import remembering
from tests.support.firmware_chaos import endure
from toolchain.plan.numbers import Target

INPUTS = 100


@pytest.fixture(scope="module")
def board():
    with Emulator(image()) as emulator, Attached(SerialPort(emulator.port)) as device:
        device.connect()
        yield device


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_100_inputs_answered_alike(board, name):
    began = time.monotonic()
    compared = compare_on_board(board, name, INPUTS, np.random.default_rng(100))
    print(f"\n{name}: {compared} inputs, 0 bytes differ, {time.monotonic() - began:.0f} s")
    assert compared == INPUTS


def test_a_million_pieces_of_text_frames_and_noise():
    plan, sha256 = plan_of(remembering(), Target.PORTABLE)
    began, seeds = time.monotonic(), range(1000, 1100)
    said = sum(endure(seed, 10_000, plan, sha256) for seed in seeds)
    print(f"\n1,000,000 pieces, {seeds}: {said} bytes said, {time.monotonic() - began:.0f} s")
