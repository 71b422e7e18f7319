"""With single rounding the engine gives the bytes of LiteRT's default kernels (XNNPACK)."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.engine import (
    MODEL_NAMES,
    MODELS,
    Lite,
    difference,
    edge_inputs,
    engine_of,
)
from tests.support.engine_cases import case
from toolchain.lowering.output_stage import float32_factors
from toolchain.lowering.settings import Settings
from toolchain.plan.numbers import Rounding
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Operator, Quantization, Tensor
from toolchain.tflite.options import FullyConnected
from toolchain.tflite.writer import write

SINGLE = Settings(Rounding.SINGLE)
CASES = 60
INPUTS = 12


@pytest.mark.parametrize("family", ["conv", "depthwise", "fully_connected"])
def test_operators_equal_litert(family):
    values = changed = 0
    for seed in range(CASES):
        made = case(family, seed)
        mine = engine_of(made.model, SINGLE).run(made.inputs)
        theirs = Lite(made.model, reference=False).run(made.inputs)
        assert difference(mine, theirs) == 0, f"{family}, seed {seed}"
        changed += difference(mine, engine_of(made.model).run(made.inputs))
        values += theirs[0].size
    assert changed > 0, "both roundings agree everywhere: the cases say nothing"
    print(f"\n{family}: 0 of {values} values differ, {CASES} cases")


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_models_equal_litert(name):
    path = MODELS / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"{MODELS} is not there: the MLPerf Tiny models lie beside the project")
    model = path.read_bytes()
    engine, lite = engine_of(model, SINGLE), Lite(model, reference=False)
    shape = engine.plan.tensors[engine.plan.inputs[0]].shape
    differing = values = 0
    for inputs in edge_inputs(shape, np.random.default_rng(200), INPUTS):
        theirs = lite.run([inputs])
        differing += difference(engine.run([inputs]), theirs)
        values += theirs[0].size
    print(f"\n{name}: {differing} of {values} values differ, {INPUTS} inputs")
    assert differing == 0


def test_sums_are_scaled_in_float32_and_rounded_to_even():
    """With weights of 0 the outputs are the biases, scaled: any int32, and exact halves."""
    rng = np.random.default_rng(1)
    biases = rng.integers(-(2**31), 2**31, 4096)
    biases[:2048] = rng.integers(-600, 600, 2048)
    biases[-2:] = -(2**31), 2**31 - 1
    scales = 2.0 ** rng.integers(-24, 2, 4096) * np.where(
        rng.random(4096) < 0.5, 1, rng.random(4096)
    )
    scales[:1024] = 0.5
    scales[-3:] = 1e-38
    weights = Quantization(tuple(np.float32(scales).tolist()), (0,) * 4096)
    zero_point = -3
    tensors = (
        Tensor("x", (1, 1), DType.INT8, Quantization((1.0,), (0,))),
        Tensor("w", (4096, 1), DType.INT8, weights, bytes(4096)),
        Tensor("b", (4096,), DType.INT32, replace(weights), biases.astype("<i4").tobytes()),
        Tensor("y", (1, 4096), DType.INT8, Quantization((1.0,), (zero_point,))),
    )
    operator = Operator("FULLY_CONNECTED", (0, 1, 2), (3,), 5, FullyConnected())
    model = write(Model((Graph(tensors, (operator,), (0,), (3,)),), "scaling"))
    mine = engine_of(model, SINGLE).run([np.zeros((1, 1), np.int8)])[0].reshape(-1)
    factors = float32_factors(1.0, weights.scales, 1.0)
    wanted = np.rint(biases.astype(np.float32) * factors).clip(-128 - zero_point, 127 - zero_point)
    assert (mine == wanted + zero_point).all()
    assert len(np.unique(mine)) > 200
