"""Weights, bias and range of the float32 operators that sum products."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolchain.lowering.activation_range import float_range
from toolchain.lowering.site import Site
from toolchain.plan.parameters_f32 import FloatStage
from toolchain.tflite.dtype import WEIGHT_INTEGERS, DType
from toolchain.tflite.slots import Activation


def float_weights(site: Site) -> NDArray[Any]:
    """The constant weights of an operator from float32 to float32."""
    if site.input(1).dtype in WEIGHT_INTEGERS:
        site.refuse(
            f"its weights are {site.input(1).dtype.label} and its input is float32 (dynamic "
            "range); quantize the model with calibration data to static int8"
        )
    site.output(DType.FLOAT32)
    return site.constant(1, DType.FLOAT32)


def float_stage(site: Site, channels: int, activation: Activation) -> FloatStage:
    """Bias (0 where the model has none) and range."""
    bias = np.zeros(channels, "<f4")
    if site.index(2) is not None:
        bias = site.constant(2, DType.FLOAT32).reshape(channels)
    low, high = float_range(site, activation)
    return FloatStage(site.constants.add(bias), low, high)
