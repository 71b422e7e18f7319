"""Functions of one int8, as tables of what TFLite's own kernels give for each of the 256 bytes."""

from collections.abc import Callable

import numpy as np

from toolchain.lowering.activation_range import activation_range
from toolchain.lowering.fixed_point import mbqm, saturate
from toolchain.lowering.float32 import ratio
from toolchain.lowering.multiplier import quantize_multiplier
from toolchain.lowering.node import Step
from toolchain.lowering.site import Site
from toolchain.plan import parameters
from toolchain.plan.numbers import Opcode, Rounding
from toolchain.tflite.dtype import DType
from toolchain.tflite.options import LeakyRelu
from toolchain.tflite.slots import Activation


def lower_relu(site: Site) -> Step:
    """Lower RELU, which rescales."""
    low, high = activation_range(site, Activation.RELU)
    return table_step(site, _rescale(site, low, high))


def lower_relu6(site: Site) -> Step:
    """Lower RELU6, which does not rescale."""
    if site.per_tensor(site.input(0)) != site.per_tensor(site.output()):
        site.refuse("its input and output are quantized differently; RELU6 does not rescale")
    low, high = activation_range(site, Activation.RELU6)
    return table_step(site, lambda x: max(low, min(high, x)))


def lower_relu_n1_to_1(site: Site) -> Step:
    """Lower RELU_N1_TO_1, which rescales as RELU does."""
    low, high = activation_range(site, Activation.RELU_N1_TO_1)
    return table_step(site, _rescale(site, low, high))


def lower_leaky_relu(site: Site) -> Step:
    """Lower LEAKY_RELU (QuantizeLeakyRelu in reference/leaky_relu.h), whose factors are float32."""
    options = site.operator.options
    assert isinstance(options, LeakyRelu)
    (scale_in, zero_in), (scale_out, zero_out) = map(
        site.per_tensor, (site.input(0), site.output())
    )
    scales = np.float32(scale_in), np.float32(scale_out)
    with np.errstate(over="ignore", under="ignore"):
        factors = scales[0] / scales[1], scales[0] * np.float32(options.alpha) / scales[1]
    if site.settings.rounding is Rounding.SINGLE and _are_256ths(factors):
        return table_step(site, _leaky_by_256ths(site, factors))
    above, below = (quantize_multiplier(float(factor)) for factor in factors)

    def leaky(x: int) -> int:
        multiplier, shift = above if x >= zero_in else below
        return saturate(mbqm(x - zero_in, multiplier, shift) + zero_out, 8)

    return table_step(site, leaky)


def _are_256ths(factors: tuple[np.float32, np.float32]) -> bool:
    """What XNNPACK's leaky ReLU takes; TFLite's own kernel does the rest."""
    above, below = map(float, factors)
    return 2**-8 <= above <= 2**7 and abs(below) >= 2**-8 and -32767 / 256 <= below <= 2**7


def _leaky_by_256ths(site: Site, factors: tuple[np.float32, np.float32]) -> Callable[[int], int]:
    """XNNPACK's leaky ReLU: multipliers of whole 256ths, halves up."""
    (_, zero_in), (_, zero_out) = map(site.per_tensor, (site.input(0), site.output()))
    above, below = (round(float(factor) * 256) for factor in factors)

    def leaky(x: int) -> int:
        product = (x - zero_in) * (above if x >= zero_in else below)
        return saturate((product + 128 >> 8) + zero_out, 8)

    return leaky


def lower_requantize(site: Site) -> Step:
    """Lower QUANTIZE of int8 to another scale."""
    scale_in, scale_out = site.per_tensor(site.input(0))[0], site.per_tensor(site.output())[0]
    factor = ratio(scale_in, scale_out)
    if site.settings.rounding is Rounding.SINGLE and 2**-8 <= factor <= 2**7:
        return table_step(site, _rescale_by_256ths(site, factor))
    return table_step(site, _rescale(site, -128, 127))


def _rescale_by_256ths(site: Site, factor: float) -> Callable[[int], int]:
    """XNNPACK's conversion between int8 scales: a multiplier of whole 256ths, halves up."""
    (_, zero_in), (_, zero_out) = map(site.per_tensor, (site.input(0), site.output()))
    multiplier = round(factor * 256)
    return lambda x: max(-128, min(127, ((x - zero_in) * multiplier + 128 >> 8) + zero_out))


def _rescale(site: Site, low: int, high: int) -> Callable[[int], int]:
    (scale_in, zero_in), (scale_out, zero_out) = map(
        site.per_tensor, (site.input(0), site.output())
    )
    multiplier, shift = quantize_multiplier(scale_in / scale_out)
    return lambda x: max(low, min(high, mbqm(x - zero_in, multiplier, shift) + zero_out))


def table_step(site: Site, function: Callable[[int], int]) -> Step:
    """A step that looks up the function of each byte."""
    site.input(0, DType.INT8)
    site.output(DType.INT8)
    values = [function(x - 256 if x > 127 else x) for x in range(256)]
    return Step(
        Opcode.TABLE_S8,
        inputs=site.operator.inputs[:1],
        output=site.operator.outputs[0],
        parameters=parameters.Table(site.constants.add_int8(values)),
        in_place=site.operator.inputs[:1],
    )
