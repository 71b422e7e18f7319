"""Four models on the emulated board: 100 inputs each, equal to the host's engine and to TFLM."""

import time

import numpy as np
import pytest

from firmware_bridge.adapters.attached import Attached
from firmware_bridge.adapters.emulator import Emulator
from firmware_bridge.adapters.serial_port import SerialPort
from tests.support.boards import compare_on_board, image
from tests.support.engine import MODEL_NAMES

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
