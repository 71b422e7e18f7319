"""Functions of one float32, and SOFTMAX."""

import math

from toolchain.lowering.activation_range import float_range
from toolchain.lowering.node import Step
from toolchain.lowering.site import Site
from toolchain.plan import parameters_f32 as parameters
from toolchain.plan.numbers import Function, Opcode
from toolchain.plan.records import Record
from toolchain.tflite.dtype import DType
from toolchain.tflite.options import LeakyRelu, Softmax
from toolchain.tflite.slots import Activation

MAX_BETA = 1e30


def lower_relu(site: Site) -> Step:
    """Lower RELU."""
    return _clamp(site, Activation.RELU)


def lower_relu6(site: Site) -> Step:
    """Lower RELU6."""
    return _clamp(site, Activation.RELU6)


def lower_relu_n1_to_1(site: Site) -> Step:
    """Lower RELU_N1_TO_1."""
    return _clamp(site, Activation.RELU_N1_TO_1)


def lower_leaky_relu(site: Site) -> Step:
    """Lower LEAKY_RELU."""
    options = site.operator.options
    assert isinstance(options, LeakyRelu)
    return _unary(site, parameters.Unary(Function.LEAKY_RELU, slope=options.alpha))


def lower_logistic(site: Site) -> Step:
    """Lower LOGISTIC."""
    return _unary(site, parameters.Unary(Function.LOGISTIC))


def lower_tanh(site: Site) -> Step:
    """Lower TANH."""
    return _unary(site, parameters.Unary(Function.TANH))


def lower_hard_swish(site: Site) -> Step:
    """Lower HARD_SWISH."""
    return _unary(site, parameters.Unary(Function.HARD_SWISH))


def lower_softmax(site: Site) -> Step:
    """Lower SOFTMAX over the last dimension."""
    options = site.operator.options
    assert isinstance(options, Softmax)
    if not (math.isfinite(options.beta) and 0 <= options.beta <= MAX_BETA):
        site.refuse(f"beta {options.beta} is not supported; it must lie in 0 … {MAX_BETA:g}")
    if not site.input(0).shape:
        site.refuse("its input has no dimensions")
    return _step(site, Opcode.SOFTMAX_F32, parameters.Softmax(options.beta))


def _clamp(site: Site, activation: Activation) -> Step:
    low, high = float_range(site, activation)
    return _unary(site, parameters.Unary(Function.CLAMP, low, high))


def _unary(site: Site, record: parameters.Unary) -> Step:
    return _step(site, Opcode.UNARY_F32, record)


def _step(site: Site, opcode: Opcode, record: Record) -> Step:
    source, target = site.input(0, DType.FLOAT32), site.output(DType.FLOAT32)
    if source.shape != target.shape:
        site.refuse(f"shape {list(source.shape)} to {list(target.shape)} is not supported")
    return Step(
        opcode,
        inputs=site.operator.inputs[:1],
        output=site.operator.outputs[0],
        parameters=record,
        in_place=site.operator.inputs[:1],
    )
