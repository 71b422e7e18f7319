"""The range that an activation leaves of int8, of int16, and of float32."""

import math

import numpy as np

from toolchain.lowering.site import Site
from toolchain.tflite.slots import Activation

_LIMITS: dict[Activation, tuple[float | None, float | None]] = {
    Activation.NONE: (None, None),
    Activation.RELU: (0.0, None),
    Activation.RELU6: (0.0, 6.0),
    Activation.RELU_N1_TO_1: (-1.0, 1.0),
}


INT8 = (-128, 127)
INT16 = (-32_768, 32_767)


def activation_range(site: Site, own: Activation, whole: tuple[int, int] = INT8) -> tuple[int, int]:
    """TFLite's CalculateActivationRangeQuantized, in float32 as there."""
    low, high = _limits(site, own)
    scale, zero_point = site.per_tensor(site.output())
    return (
        whole[0] if low is None else max(whole[0], zero_point + _steps(low, scale)),
        whole[1] if high is None else min(whole[1], zero_point + _steps(high, scale)),
    )


def float_range(site: Site, own: Activation) -> tuple[float, float]:
    """The limits of an activation; infinite where it has none."""
    low, high = _limits(site, own)
    return (-math.inf if low is None else low, math.inf if high is None else high)


def _limits(site: Site, own: Activation) -> tuple[float | None, float | None]:
    activation = own if site.node.activation is None else site.node.activation
    if activation not in _LIMITS:
        site.refuse(f"the fused activation {activation.name} is not supported")
    return _LIMITS[activation]


def _steps(value: float, scale: float) -> int:
    with np.errstate(over="ignore"):  # a tiny scale: more steps than int16 has, however many
        steps = float(np.float32(value) / np.float32(scale))
    return math.floor(min(abs(steps), 1e6) + 0.5) * (-1 if steps < 0 else 1)
