"""Bias, multipliers and range of the operators that sum products of int16 and int8."""

import numpy as np
from numpy.typing import NDArray

from toolchain.lowering.activation_range import INT16, activation_range
from toolchain.lowering.multiplier import quantize_multipliers
from toolchain.lowering.output_stage import weight_scales
from toolchain.lowering.site import Site
from toolchain.plan.parameters_s16 import OutputStage
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Tensor
from toolchain.tflite.slots import Activation

MAX_BIAS = 1 << 46
MAX_SHIFT_WIDE = 7


def output_stage(site: Site, channels: int, axis: int, activation: Activation) -> OutputStage:
    """Quantize each channel's factor; a bias of int64 makes the sums wide, as TFLite's are."""
    scale_in, scale_out = symmetric_scale(site, site.input(0)), symmetric_scale(site, site.output())
    if any(site.quantization(site.input(1)).zero_points):
        site.refuse("its weights have a zero point; only symmetric weights are supported")
    scales = weight_scales(site, channels, axis)
    multipliers, shifts = quantize_multipliers(scale_in * one / scale_out for one in scales)
    is_wide = _is_wide(site)
    bias = _bias(site, channels)
    if is_wide and max(shifts) > MAX_SHIFT_WIDE:
        site.refuse("its output scale is too small for 16-bit activations")
    if np.abs(bias).max(initial=0) > MAX_BIAS:
        site.refuse("its bias is larger than 2^46")
    times = channels // len(scales)
    low, high = activation_range(site, activation, INT16)
    return OutputStage(
        bias=site.constants.add(bias),
        multiplier=site.constants.add_int32(multipliers * times),
        shift=site.constants.add_int8(shifts * times),
        low=low,
        high=high,
        is_wide=int(is_wide),
    )


def symmetric_scale(site: Site, tensor: Tensor) -> float:
    """The scale of an int16 activation, whose zero point must be 0."""
    if tensor.dtype is not DType.INT16:
        site.refuse(f"tensor {tensor.name!r} is {tensor.dtype.label}, not int16")
    scale, zero_point = site.per_tensor(tensor)
    if zero_point:
        site.refuse(f"tensor {tensor.name!r} has a zero point; int16 must be symmetric")
    return scale


def _is_wide(site: Site) -> bool:
    """TFLite sums in int32 where there is a bias of int32; depthwise always in int64."""
    is_depthwise = site.operator.name == "DEPTHWISE_CONV_2D"
    return is_depthwise or site.index(2) is None or site.input(2).dtype is DType.INT64


def _bias(site: Site, channels: int) -> NDArray[np.int64]:
    if site.index(2) is None:
        return np.zeros(channels, "<i8")
    dtype = site.input(2).dtype
    found = site.constant(2, dtype if dtype is DType.INT64 else DType.INT32)
    return found.astype("<i8").reshape(channels)
