"""Channels that are not computed change no byte: beside TFLite Micro, and beside ourselves."""

import numpy as np
import pytest

from tests.support.engine import Engine, Micro, difference, edge_inputs
from tests.support.idle_networks import idle_network
from toolchain.lowering.lower import lower
from toolchain.lowering.settings import Settings
from toolchain.plan.encode import encode
from toolchain.plan.numbers import Rounding, Target
from toolchain.plan.plan import Plan
from toolchain.tflite.reader import read
from toolchain.tflite.writer import write

NETWORKS = 60


def engine(data: bytes, rounding: Rounding, *, drops: bool) -> tuple[Engine, Plan]:
    plan = lower(read(data), Settings(rounding, Target.PORTABLE, drops_idle_channels=drops))
    return Engine(encode(plan)), plan


@pytest.mark.parametrize("start", range(0, NETWORKS, 20))
def test_what_is_left_out_changes_nothing(start: int) -> None:
    thinner = 0
    for seed in range(start, start + 20):
        data = write(idle_network(seed))
        rng = np.random.default_rng(seed)
        oracle = Micro(data)
        thin, plan = engine(data, Rounding.DOUBLE, drops=True)
        single, _ = engine(data, Rounding.SINGLE, drops=True)
        whole, before = engine(data, Rounding.SINGLE, drops=False)
        thinner += len(plan.constants) < len(before.constants)
        for values in edge_inputs(read(data).main.tensors[0].shape, rng, 8):
            assert difference(thin.run([values]), oracle.run([values])) == 0, seed
            assert difference(single.run([values]), whole.run([values])) == 0, seed
    assert thinner >= 5
