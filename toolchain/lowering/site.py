"""Where an operator is lowered: its tensors, checked, the settings, and room for constants."""

from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from toolchain.errors import ModelRefused
from toolchain.lowering.constants import ConstantPool
from toolchain.lowering.node import Node
from toolchain.lowering.settings import Settings
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Operator, Quantization, Tensor

_NUMPY = {
    DType.INT8: "i1",
    DType.INT16: "<i2",
    DType.INT32: "<i4",
    DType.INT64: "<i8",
    DType.FLOAT32: "<f4",
}


@dataclass(frozen=True, slots=True)
class Site:
    """One node with all that its lowering needs; indices count the operator's inputs.

    Attributes:
        were_uint8: tensors that are uint8 in the model's file.
        temporaries: tensors between the steps of operators that become several; they are numbered
            behind the graph's own.
    """

    node: Node
    graph: Graph
    settings: Settings
    constants: ConstantPool
    were_uint8: frozenset[int] = frozenset()
    temporaries: list[Tensor] = field(default_factory=list)

    @property
    def operator(self) -> Operator:
        """The model's operator."""
        return self.node.operator

    def refuse(self, reason: str) -> NoReturn:
        """Refuse the model because of this operator."""
        raise ModelRefused(f"{self.node.where}: {reason}")

    def index(self, number: int) -> int | None:
        """The graph's index of an input; None if it is left out."""
        inputs = self.operator.inputs
        return inputs[number] if number < len(inputs) and inputs[number] >= 0 else None

    def input(self, number: int, dtype: DType | None = None) -> Tensor:
        """An input that must be there, of this type if one is given."""
        index = self.index(number)
        if index is None:
            self.refuse(f"lacks input {number}")
        return self._typed(self.graph.tensors[index], f"input {number}", dtype)

    def output(self, dtype: DType | None = None) -> Tensor:
        """The output."""
        if len(self.operator.outputs) != 1:
            self.refuse(f"has {len(self.operator.outputs)} outputs, not 1")
        return self._typed(self.graph.tensors[self.operator.outputs[0]], "output", dtype)

    def tensor(self, index: int) -> Tensor:
        """A tensor that a step reads or writes, whether the model's or between steps."""
        own = self.graph.tensors
        found = own[index] if index < len(own) else self.temporaries[index - len(own)]
        return self._typed(found, f"tensor {index}", None)

    def temporary(self, tensor: Tensor) -> int:
        """Add a tensor between the steps of this operator; returns its index."""
        self.temporaries.append(tensor)
        return len(self.graph.tensors) + len(self.temporaries) - 1

    def integers(self, number: int) -> list[int]:
        """An input that must be a constant of int32 or int64, flat."""
        dtype = self.input(number).dtype
        values = self.constant(number, DType.INT64 if dtype is DType.INT64 else DType.INT32)
        return [int(value) for value in values.reshape(-1)]

    def constant(self, number: int, dtype: DType) -> NDArray[Any]:
        """An input that must be a constant, as array."""
        tensor = self.input(number, dtype)
        if tensor.data is None:
            self.refuse(f"input {number} is not a constant; only constants are supported there")
        return np.frombuffer(tensor.data, _NUMPY[dtype]).reshape(tensor.shape)

    def per_tensor(self, tensor: Tensor) -> tuple[float, int]:
        """The one scale and zero point of an int8 activation."""
        quantization = self.quantization(tensor)
        scale, zero_point = quantization.scales[0], quantization.zero_points[0]
        if len(quantization.scales) != 1 or scale <= 0 or not -128 <= zero_point <= 127:
            self.refuse(f"tensor {tensor.name!r} has no usable scale and zero point")
        return scale, zero_point

    def quantization(self, tensor: Tensor) -> Quantization:
        """The quantization of a tensor that must have one."""
        if tensor.quantization is None:
            self.refuse(f"tensor {tensor.name!r} is not quantized; quantize the model to int8")
        return tensor.quantization

    def _typed(self, tensor: Tensor, what: str, dtype: DType | None) -> Tensor:
        if dtype is not None and tensor.dtype is not dtype:
            self.refuse(f"{what} is {tensor.dtype.label}; only {dtype.label} is supported")
        if tensor.is_dynamic:
            self.refuse(f"{what} has a shape only known at run time; export it with fixed shapes")
        if tensor.is_variable:
            self.refuse(f"{what} is a variable; variables are not supported")
        return tensor
