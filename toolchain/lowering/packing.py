"""How a target wants an operator's weights.

A build of the engine may bring its own kernels for an opcode under other layout numbers. What it
does not take runs on the portable kernel, whose layout is 0: the weights as the model has them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from toolchain.lowering.site import Site
from toolchain.plan.numbers import Opcode, Target
from toolchain.plan.parameters import Window


@dataclass(frozen=True, slots=True)
class Product:
    """An operator that sums products, as packings see it.

    Attributes:
        weights: in the model's own order.
        weight_zero_point: 0 but in models that were uint8, and in some FULLY_CONNECTED.
        window: None for FULLY_CONNECTED.
    """

    opcode: Opcode
    weights: NDArray[Any]
    weight_zero_point: int
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Packed:
    """Weights as the kernel with this layout number reads them, and the scratch that it wants."""

    layout: int
    weights: NDArray[Any]
    scratch_bytes: int = 0


Packing = Callable[[Product], Packed | None]
"""None: the target's own kernels do not take this one."""

OF_TARGET: dict[tuple[Target, Opcode], Packing] = {}


def pack(
    site: Site, opcode: Opcode, weights: NDArray[Any], zero_point: int, window: Window | None = None
) -> Packed:
    """Pack the weights of an operator for the target of the settings."""
    product = Product(opcode, weights, zero_point, site.input(0).shape, site.output().shape, window)
    packing = OF_TARGET.get((site.settings.target, opcode))
    return (packing and packing(product)) or Packed(0, weights)
