"""Copies into and out of variables, and what variables hold before anything is assigned."""

from dataclasses import replace

import numpy as np

from toolchain.lowering.node import Step
from toolchain.plan.numbers import Opcode
from toolchain.plan.parameters import StridedCopy
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Tensor


def copy(source: int, target: int, elements: int) -> Step:
    """Copy all elements."""
    return _step(source, target, elements, 1)


def fill(source: int, target: int, elements: int) -> Step:
    """Copy one element to all."""
    return _step(source, target, elements, 0)


def first_of_equal(constant: Tensor) -> Tensor | None:
    """The one element of which a constant is made throughout; None for any other tensor."""
    size, data = _size_bytes(constant), bytes(constant.data or b"")
    if not data or data != data[:size] * constant.elements:
        return None
    return replace(constant, shape=(1,), data=data[:size])


def initial(variable: Tensor) -> Tensor:
    """A constant of one element that means 0, as TFLite Micro's variables are at first."""
    is_offset = variable.quantization is not None and variable.dtype is DType.INT8
    zero_point = variable.quantization.zero_points[0] if is_offset and variable.quantization else 0
    value = np.array([zero_point], "i1").tobytes() if is_offset else bytes(_size_bytes(variable))
    return Tensor("", (1,), variable.dtype, variable.quantization, value)


def _size_bytes(tensor: Tensor) -> int:
    return tensor.dtype.size_bytes(1)


def _step(source: int, target: int, count: int, step: int) -> Step:
    record = StridedCopy(0, 1, 1, 1, 1, 1, count, 0, 0, 0, 0, 0, step)
    return Step(Opcode.STRIDED_COPY, (source,), target, record)
