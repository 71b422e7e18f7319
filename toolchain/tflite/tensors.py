"""Tensors and their quantization out of tables: shape, type and constant bytes must agree."""

import math
from collections.abc import Sequence

from toolchain.errors import ModelRefused
from toolchain.tflite.dtype import DType
from toolchain.tflite.flatbuffer import Table
from toolchain.tflite.model import Quantization, Tensor

MAX_RANK = 8
MAX_TENSOR_BYTES = 1 << 31


def read_tensor(table: Table, buffers: Sequence[memoryview | None]) -> Tensor:
    """Read one tensor.

    Raises:
        ModelRefused: unknown type, negative or absurd shape, buffer that is not there or whose
            length is not what shape and type call for, quantization that does not fit the shape.
    """
    where = table.where
    dtype = _dtype(table)
    shape = table.vector(0, "i", MAX_RANK)
    if any(length < 0 for length in shape):
        raise ModelRefused(f"{where}: shape {list(shape)} has a negative dimension")
    size_bytes = dtype.size_bytes(math.prod(shape))
    if size_bytes > MAX_TENSOR_BYTES:
        raise ModelRefused(f"{where}: shape {list(shape)} needs {size_bytes} bytes; nothing can")
    if table.table(6, f"{where} sparsity") is not None:
        raise ModelRefused(f"{where}: sparse constants are not supported; export them dense")
    data = _constant(table, buffers)
    if data is not None and dtype.bits is not None and len(data) != size_bytes:
        raise ModelRefused(
            f"{where}: {dtype.label}{list(shape)} needs {size_bytes} bytes, "
            f"its buffer has {len(data)}"
        )
    quantization = table.table(4, f"{where} quantization")
    return Tensor(
        name=table.text(3),
        shape=shape,
        dtype=dtype,
        quantization=None if quantization is None else _quantization(quantization, shape),
        data=data,
        is_variable=table.scalar(5, "?", False),
        signature=table.vector(7, "i", MAX_RANK),
    )


def _dtype(table: Table) -> DType:
    number = table.scalar(1, "b", DType.FLOAT32)
    try:
        return DType(number)
    except ValueError:
        raise ModelRefused(f"{table.where}: unknown element type {number}") from None


def _constant(table: Table, buffers: Sequence[memoryview | None]) -> memoryview | None:
    number = table.scalar(2, "I", 0)
    if number >= len(buffers) and number != 0:
        raise ModelRefused(f"{table.where}: buffer {number} of {len(buffers)} does not exist")
    return buffers[number] if number else None


def _quantization(table: Table, shape: tuple[int, ...]) -> Quantization | None:
    """The rules are those of TFLite's own interpreter builder, so that both accept the same."""
    scales = table.vector(2, "f")
    zero_points = table.vector(3, "q")
    axis = table.scalar(6, "i", 0)
    if not scales:
        return None
    if len(zero_points) != len(scales):
        raise ModelRefused(f"{table.where}: {len(scales)} scales, {len(zero_points)} zero points")
    if shape and not 0 <= axis < len(shape):
        raise ModelRefused(f"{table.where}: axis {axis} of a shape of {len(shape)} dimensions")
    if len(scales) > 1 and (not shape or len(scales) != shape[axis]):
        raise ModelRefused(f"{table.where}: {len(scales)} scales do not fit shape {list(shape)}")
    if not all(map(math.isfinite, scales)) or min(scales) < 0:
        raise ModelRefused(f"{table.where}: a scale is negative, infinite or not a number")
    return Quantization(scales, zero_points, axis)
