"""With single rounding the engine gives the bytes of LiteRT's default kernels (XNNPACK)."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.engine import MODEL_NAMES, MODELS, difference, engine_of
from tests.support.engine_compare import compare_model_single, compare_single
from tests.support.engine_families import FAMILIES, ROUNDED
from toolchain.lowering.float32 import product_factors
from toolchain.lowering.settings import Settings
from toolchain.plan.numbers import Rounding
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Operator, Quantization, Tensor
from toolchain.tflite.options import FullyConnected
from toolchain.tflite.writer import write

SINGLE = Settings(Rounding.SINGLE)
CASES = 60
INPUTS = 200


@pytest.mark.parametrize("family", sorted(ROUNDED))
def test_operators_equal_litert(family):
    cases, values, differing = compare_single(family, range(CASES))
    print(f"\n{family}: {differing} of {values} values differ, {cases} cases")
    assert differing == 0
    assert cases > CASES // 2


@pytest.mark.parametrize("family", ["conv", "depthwise", "mean", "mul", "quantize", "requantize"])
def test_the_roundings_differ(family):
    changed = 0
    for seed in range(CASES):
        made = FAMILIES[family](seed)
        once, twice = (engine_of(made.model, settings) for settings in (SINGLE, None))
        changed += difference(once.run(made.inputs), twice.run(made.inputs))
    assert changed > 0, "both roundings agree everywhere: the cases say nothing"


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_models_equal_litert(name):
    path = MODELS / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"{MODELS} is not there: the MLPerf Tiny models lie beside the project")
    values, differing = compare_model_single(path.read_bytes(), 200, INPUTS)
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
    factors = product_factors(1.0, weights.scales, 1.0)
    wanted = np.rint(biases.astype(np.float32) * factors).clip(-128 - zero_point, 127 - zero_point)
    assert (mine == wanted + zero_point).all()
    assert len(np.unique(mine)) > 200
