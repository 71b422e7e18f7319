"""An operator with its tensors, as the rules about shapes see it."""

import struct
from dataclasses import dataclass
from typing import NoReturn

from toolchain.errors import ModelRefused
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Operator, Tensor

Shape = tuple[int, ...]
_INTEGERS = {DType.INT32: "i", DType.INT64: "q"}


@dataclass(frozen=True, slots=True)
class Operands:
    """An operator with its tensors in place of their indices; None is an input left out."""

    where: str
    operator: Operator
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]

    def refuse(self, reason: str) -> NoReturn:
        """Refuse the model because of this operator."""
        raise ModelRefused(f"{self.where}: {reason}")

    def input(self, number: int, rank: int | None = None) -> Tensor:
        """Return an input that must be there, and have `rank` dimensions if that is given."""
        tensor = self.inputs[number] if number < len(self.inputs) else None
        if tensor is None:
            self.refuse(f"lacks input {number}")
        if rank is not None and len(tensor.shape) != rank:
            self.refuse(f"input {number} has shape {list(tensor.shape)}, not {rank} dimensions")
        return tensor

    def integers(self, number: int) -> list[int] | None:
        """Return the values of an input of integers, flat; None if it is not a constant."""
        tensor = self.input(number)
        if tensor.dtype not in _INTEGERS:
            self.refuse(f"input {number} is {tensor.dtype.label}, not int32 or int64")
        if tensor.data is None:
            return None
        return list(struct.unpack(f"<{tensor.elements}{_INTEGERS[tensor.dtype]}", tensor.data))

    def axis(self, axis: int, rank: int) -> int:
        """Return an axis counted from the front, which must be one of `rank`."""
        if not -rank <= axis < rank:
            self.refuse(f"axis {axis} of {rank} dimensions")
        return axis % rank


def operands_of(graph: Graph, number: int) -> Operands:
    """Return the operands of a graph's operator."""
    operator = graph.operators[number]
    return Operands(
        where=f"operator {number} ({operator.name})",
        operator=operator,
        inputs=tuple(graph.tensors[i] if i >= 0 else None for i in operator.inputs),
        outputs=tuple(graph.tensors[i] for i in operator.outputs),
    )
