"""An operator that sums products, before and after its weights are packed."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from toolchain.lowering.output_stage import StageNumbers
from toolchain.plan.numbers import Opcode
from toolchain.plan.parameters import Window


@dataclass(frozen=True, slots=True)
class Product:
    """An operator that sums products, as packings see it.

    Attributes:
        weights: in the model's own order.
        weight_zero_point: 0 but in models that were uint8, and in some FULLY_CONNECTED.
        window: None for FULLY_CONNECTED.
        stage: None but for int8.
        output_zero_point: of int8.
    """

    opcode: Opcode
    weights: NDArray[Any]
    weight_zero_point: int
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    window: Window | None = None
    stage: StageNumbers | None = None
    output_zero_point: int = 0


@dataclass(frozen=True, slots=True)
class Packed:
    """Weights as the kernel with this layout number reads them, and the scratch that it wants.

    Attributes:
        stage: biases, multipliers and shifts, where the kernel wants those packed, too.
    """

    layout: int
    weights: NDArray[Any]
    scratch_bytes: int = 0
    stage: NDArray[Any] | None = None
