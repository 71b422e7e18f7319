"""How a target wants an operator's weights.

A build of the engine may bring its own kernels for an opcode under other layout numbers. What it
does not take runs on the portable kernel, whose layout is 0: the weights as the model has them.
"""

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from toolchain.lowering.packings import simd128, simd128_f32, swar
from toolchain.lowering.product import Packed, Product
from toolchain.lowering.site import Site
from toolchain.plan.numbers import Opcode, Target
from toolchain.plan.parameters import Window

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
}


def pack(
    site: Site, opcode: Opcode, weights: NDArray[Any], zero_point: int, window: Window | None = None
) -> Packed:
    """Pack the weights of an operator for the target of the settings."""
    product = Product(opcode, weights, zero_point, site.input(0).shape, site.output().shape, window)
    packing = OF_TARGET.get((site.settings.target, opcode))
    return (packing and packing(product)) or Packed(0, weights)
