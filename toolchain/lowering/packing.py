"""How a target wants an operator's weights.

A build of the engine may bring its own kernels for an opcode under other layout numbers. What it
does not take runs on the portable kernel, whose layout is 0: the weights as the model has them.
"""

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from toolchain.lowering.output_stage import StageNumbers
from toolchain.lowering.packings import cortex_m, simd128, simd128_f32, swar
from toolchain.lowering.product import Packed, Product
from toolchain.lowering.site import Site
from toolchain.plan.numbers import Opcode, Rounding, Target
from toolchain.plan.parameters import Add, Window

Packing = Callable[[Product], Packed | None]
"""None: the target's own kernels do not take this one."""

OF_TARGET: dict[tuple[Target, Opcode], Packing] = {
    (Target.SWAR, Opcode.CONV_2D_S8): swar.pack_conv,
    (Target.SWAR, Opcode.DEPTHWISE_CONV_2D_S8): swar.pack_depthwise,
    (Target.SIMD128, Opcode.CONV_2D_F32): simd128_f32.convolution,
    (Target.SWAR, Opcode.FULLY_CONNECTED_S8): swar.pack_fully_connected,
    (Target.SIMD128, Opcode.CONV_2D_S8): simd128.convolution,
    (Target.SIMD128, Opcode.DEPTHWISE_CONV_2D_S8): simd128.depthwise,
    (Target.SIMD128, Opcode.FULLY_CONNECTED_S8): simd128.fully_connected,
    (Target.CORTEX_M, Opcode.CONV_2D_S8): cortex_m.convolution,
    (Target.CORTEX_M, Opcode.DEPTHWISE_CONV_2D_S8): cortex_m.depthwise,
    (Target.CORTEX_M, Opcode.FULLY_CONNECTED_S8): cortex_m.fully_connected,
}


def pack(
    site: Site,
    opcode: Opcode,
    weights: NDArray[Any],
    zero_point: int,
    window: Window | None = None,
    stage: StageNumbers | None = None,
) -> Packed:
    """Pack the weights of an operator for the target of the settings."""
    product = Product(
        opcode,
        weights,
        zero_point,
        site.input(0).shape,
        site.output().shape,
        window,
        stage,
        site.per_tensor(site.output())[1] if stage else 0,
    )
    packing = OF_TARGET.get((site.settings.target, opcode))
    return (packing and packing(product)) or Packed(0, weights)


def pack_sum(site: Site, record: Add) -> tuple[int, int]:
    """The layout of an ADD or SUB for the target of the settings, and the scratch that it wants."""
    settings = site.settings
    if settings.target is Target.CORTEX_M and settings.rounding is Rounding.DOUBLE:
        shapes = (site.input(0).shape, site.input(1).shape, site.output().shape)
        return cortex_m.add(record, shapes)
    return 0, 0
