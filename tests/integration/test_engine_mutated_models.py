"""A damaged .tflite is refused in one line, or lowered to a plan that the engine accepts."""

import numpy as np
import pytest

from tests.support.engine import check
from tests.support.engine_families import FAMILIES
from toolchain.errors import ModelRefused
from toolchain.lowering.lower import lower
from toolchain.plan.encode import encode
from toolchain.plan.numbers import Status
from toolchain.tflite.reader import read

CHANGES = 150
NUMBERS = (0, 1, 2, 127, 128, 255)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_damaged_model_is_refused_or_safe(family):
    rng = np.random.default_rng([7, *family.encode()])
    outcomes = {"refused": 0, "accepted": 0}
    for seed in range(CHANGES):
        model = bytearray(FAMILIES[family](seed % 20).model)
        for _ in range(int(rng.integers(1, 4))):
            number = int(rng.choice(NUMBERS)) if rng.random() < 0.5 else int(rng.integers(256))
            model[int(rng.integers(len(model)))] = number
        try:
            plan = lower(read(bytes(model)))
            data = encode(plan)
        except ModelRefused as refused:
            assert "\n" not in str(refused)  # noqa: PT017
            outcomes["refused"] += 1
        else:
            assert check(data, plan.arena_bytes) is Status.OK
            outcomes["accepted"] += 1
    assert min(outcomes.values()) > 0, outcomes
