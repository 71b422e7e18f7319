"""The number that a sum becomes: what the engine computes when a model runs, for one channel."""

import numpy as np

from toolchain.lowering.fixed_point import mbqm, wrap
from toolchain.lowering.output_stage import StageNumbers
from toolchain.lowering.site import Site
from toolchain.plan.numbers import Rounding


def requantize(site: Site, numbers: StageNumbers, channel: int, total: int) -> int:
    """Scale a sum to the operator's output, by the rounding of the plan.

    Args:
        total: the whole sum, bias included; it wraps at 32 bits.
    """
    _, zero_point = site.per_tensor(site.output())
    total = wrap(total)
    if numbers.rounding is Rounding.SINGLE:
        low, high = numbers.low - zero_point, numbers.high - zero_point
        product = np.float32(total) * np.float32(numbers.multiplier[channel])
        return int(np.rint(np.clip(product, low, high))) + zero_point
    scaled = mbqm(total, int(numbers.multiplier[channel]), int(numbers.shift[channel]))
    return max(numbers.low, min(numbers.high, scaled + zero_point))
