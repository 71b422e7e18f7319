"""HARD_SWISH: x · relu6(x + 3) / 6 in 16 bits (reference/hard_swish.h), as a table."""

import numpy as np

from toolchain.lowering.fixed_point import rdbpot, saturate
from toolchain.lowering.multiplier import quantize_multiplier
from toolchain.lowering.node import Step
from toolchain.lowering.operators.tables import table_step
from toolchain.lowering.site import Site

_RELUISH_SCALE = np.float32(3) / np.float32(32768)


def lower(site: Site) -> Step:
    """Lower HARD_SWISH."""
    (scale_in, zero_in), (scale_out, zero_out) = map(
        site.per_tensor, (site.input(0), site.output())
    )
    fine = np.float32(1 / 128) * np.float32(scale_in)
    multiplier, exponent = _multiplier16(float(fine / np.float32(scale_out)))
    gate_multiplier, gate_exponent = _multiplier16(float(fine / _RELUISH_SCALE))
    if exponent > 0:
        site.refuse("its output is more than 128 times as fine as its input")

    def hard_swish(x: int) -> int:
        steps = (x - zero_in) * 128
        gate = steps
        if gate_exponent > 0:
            gate = saturate(gate << (gate_exponent - 1), 16)
        gate = _srdhm16(gate, gate_multiplier)
        gate = saturate(gate << 1, 16) if gate_exponent > 0 else rdbpot(gate, -gate_exponent)
        gate = (gate + 2**15) >> 1
        product = gate * _srdhm16(steps, multiplier)
        whole = abs(product) >> 15  # the reference divides towards zero
        value = rdbpot(whole if product > 0 else -whole, -exponent)
        return saturate(value + zero_out, 8)

    return table_step(site, hard_swish)


def _multiplier16(factor: float) -> tuple[int, int]:
    """A multiplier of 16 bits, and its exponent."""
    multiplier, exponent = quantize_multiplier(factor)
    return min(2**15 - 1, (multiplier + 2**15) >> 16), exponent


def _srdhm16(a: int, b: int) -> int:
    return saturate((a * b + 2**14) >> 15, 16)
