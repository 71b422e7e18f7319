"""How near float32 results must be: to a reference, and to those of another order of sums."""

import platform
from collections.abc import Callable
from dataclasses import replace
from math import prod

import numpy as np

from tests.support.engine import Engine, Lite, engine_of
from tests.support.engine_cases import Case
from tests.support.engine_cases_f32 import case_f32, float32
from tests.support.wasm_modules import Loaded, Wasmtime, module_of
from toolchain.convert.convert import Choices
from toolchain.lowering.lower import lower
from toolchain.plan.encode import encode
from toolchain.tflite.model import Graph, Model, Operator, Tensor
from toolchain.tflite.options import Pool2D
from toolchain.tflite.reader import read
from toolchain.tflite.slots import Activation
from toolchain.tflite.writer import write

HALF_ULP = 2.0**-24
Formula = Callable[[np.ndarray, float], np.ndarray]


def _softmax(x: np.ndarray, beta: float) -> np.ndarray:
    below = (x - x.max(-1, keepdims=True)).astype(np.float32) * np.float32(beta)
    shares = np.exp(below.astype(np.float64))
    return shares / shares.sum(-1, keepdims=True)


EXPONENTIALS: dict[str, tuple[Formula, float]] = {
    "logistic": (lambda x, _: 1 / (1 + np.exp(-x)), 2.5),
    "softmax": (_softmax, 2.5),
    "tanh": (lambda x, _: np.tanh(x), 1.4),
}
"""What no two libraries compute alike: the formula in float64, but for the differences that go into
softmax's exp, and how many units in the last place the engine may be away from it; for softmax half
a unit more with each term of the sum."""


def assert_near(family: str, made: Case, mine: np.ndarray, *, is_exact: bool) -> int:
    """Hold a result to a formula or to LiteRT's reference kernel; how many values are not the same.

    Args:
        is_exact: sums have the reference's order, or any order gives the same.
    """
    assert np.isfinite(mine).all()
    if family in EXPONENTIALS:
        formula, most = EXPONENTIALS[family]
        beta = getattr(read(made.model).main.operators[0].options, "beta", 1.0)
        exact = formula(made.inputs[0].astype(np.float64), beta)
        most += mine.shape[-1] / 2 if family == "softmax" else 0
        ulps = np.abs(mine - exact) / np.spacing(exact.astype(np.float32))
        assert ulps.max() <= most, f"{ulps.max()} units in the last place"
        return int((mine != exact.astype(np.float32)).sum())
    (theirs,) = Lite(made.model).run(made.inputs)
    assert mine.shape == theirs.shape
    differing = int((mine != theirs).sum())
    if is_exact:
        assert differing == 0
    elif differing:
        assert (np.abs(mine.astype(np.float64) - theirs) <= order_bound(made)).all()
    return differing


def order_bound(made: Case) -> np.ndarray:
    """How far apart two orders of n terms may be: 2 n u Σ|x w| with u = 2^-24."""
    model = read(made.model)
    graph = model.main
    (operator,) = graph.operators

    def magnitude(tensor: Tensor) -> Tensor:
        if tensor.data is None or tensor.name not in ("w", "b"):
            return tensor
        return replace(tensor, data=np.abs(np.frombuffer(tensor.data, "<f4")).tobytes())

    options = operator.options
    if hasattr(options, "activation"):
        options = replace(options, activation=Activation.NONE)
    positive = replace(
        graph,
        tensors=tuple(map(magnitude, graph.tensors)),
        operators=(replace(operator, options=options),),
    )
    inputs = [np.abs(one) for one in made.inputs]
    (sizes,) = Lite(write(replace(model, graphs=(positive,)))).run(inputs)
    return 2.1 * (_terms(made) + 2) * HALF_ULP * sizes.astype(np.float64)


def _terms(made: Case) -> int:
    graph = read(made.model).main
    (operator,) = graph.operators
    if isinstance(operator.options, Pool2D):
        return operator.options.filter_h * operator.options.filter_w
    if operator.name in ("MEAN", "SUM"):
        return graph.tensors[0].elements // graph.tensors[operator.outputs[0]].elements
    return prod(graph.tensors[1].shape[1:])


def compare_f32(family: str, seeds: range) -> tuple[int, int, int]:
    """Cases, values, and values that differ from the reference; fails at the first too far away."""
    has_same_arithmetic = platform.machine() == "x86_64"  # elsewhere its build may fuse products
    values = differing = levels = 0
    for seed in seeds:
        for is_whole in (False, True):
            made = case_f32(family, seed, is_whole=is_whole)
            (mine,) = engine_of(made.model).run(made.inputs)
            differing += assert_near(family, made, mine, is_exact=has_same_arithmetic or is_whole)
            values += mine.size
            levels += len(np.unique(mine))
    assert levels > 2 * len(seeds), "most outputs are constant: the cases say nothing"
    return 2 * len(seeds), values, differing


def compare_simd_f32(family: str, seeds: range) -> tuple[int, int, int]:
    """The same for the simd128 build under wasmtime, whose sums have another order."""
    values = differing = 0
    for seed in seeds:
        for is_whole in (False, True):
            made = case_f32(family, seed, is_whole=is_whole)
            module = module_of(made.model, Choices(target="simd"))
            (mine,) = Loaded(Wasmtime(module)).run(made.inputs)
            differing += assert_near(family, made, mine, is_exact=is_whole)
            values += mine.size
    return 2 * len(seeds), values, differing


def function_engine(family: str, count: int) -> Engine:
    """The engine with one function of so many values."""
    tensors = (float32("x", (count,)), float32("y", (count,)))
    graph = Graph(tensors, (Operator(family.upper(), (0,), (1,)),), (0,), (1,))
    return Engine(encode(lower(Model((graph,)))))


def worst_of_all(family: str, stride: int) -> tuple[int, float]:
    """How many floats were tried, every `stride`-th of all, and the largest error in units."""
    formula, _ = EXPONENTIALS[family]
    bits = np.arange(0, 1 << 32, stride, dtype=np.uint64).astype(np.uint32)
    worst, engine = 0.0, function_engine(family, 1 << 20)
    for start in range(0, len(bits), 1 << 20):
        values = np.resize(bits[start : start + (1 << 20)].view(np.float32), 1 << 20)
        values = np.where(np.isfinite(values), values, np.float32(0))
        with np.errstate(over="ignore"):
            exact = formula(values.astype(np.float64), 1.0)
        ulps = np.abs(engine.run([values])[0] - exact) / np.spacing(exact.astype(np.float32))
        worst = max(worst, float(ulps.max()))
    return len(bits), worst
