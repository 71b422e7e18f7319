"""A plan as frozen values: what the lowering makes and the codec turns into bytes and back."""

from dataclasses import dataclass
from math import prod

from toolchain.plan.numbers import Opcode, Place, Rounding, Target
from toolchain.plan.records import Record
from toolchain.tflite.dtype import DType


@dataclass(frozen=True, slots=True)
class PlanTensor:
    """A tensor that operators read or write; weights are not among them.

    Attributes:
        offset: bytes from the start of the arena or of the constants.
        scale, zero_point: 0 where the tensor is not quantized.
        is_uint8_outside: the model's own tensor is uint8; its bytes are these with bit 7 flipped.
        is_variable: keeps its value from one run to the next.
    """

    dtype: DType
    shape: tuple[int, ...]
    place: Place
    offset: int
    scale: float = 0.0
    zero_point: int = 0
    name: str = ""
    is_uint8_outside: bool = False
    is_variable: bool = False

    @property
    def size_bytes(self) -> int:
        """Bytes of the tensor."""
        return self.dtype.size_bytes(prod(self.shape))


@dataclass(frozen=True, slots=True)
class PlanOperator:
    """One step of execution; `inputs` and `outputs` index the plan's tensors.

    Attributes:
        parameters: the record of this opcode; offsets in it count from the constants' start.
        layout: how its constants are packed; 0 is what the portable kernels read.
        scratch: bytes from the start of the arena.
    """

    opcode: Opcode
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    parameters: Record
    version: int = 1
    layout: int = 0
    scratch: int = 0
    scratch_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole plan.

    Attributes:
        resets: how many operators come first and set the variables; they are not part of a run.
        constants: packed weights, per-channel numbers and tables; the codec puts parameters behind.
    """

    rounding: Rounding
    target: Target
    arena_bytes: int
    tensors: tuple[PlanTensor, ...]
    operators: tuple[PlanOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    constants: bytes
    resets: int = 0
