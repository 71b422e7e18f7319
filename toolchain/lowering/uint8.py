"""Models of the older uint8 kind as int8: every byte and every zero point less 128."""

from dataclasses import replace

import numpy as np

from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Quantization, Tensor

SUPPORTED = frozenset(
    {"ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEQUANTIZE"}
    | {"EXPAND_DIMS", "FULLY_CONNECTED", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "MAX_POOL_2D"}
    | {"MEAN", "MUL", "PACK", "PAD", "PADV2", "QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1"}
    | {"RESHAPE", "RESIZE_NEAREST_NEIGHBOR", "SLICE", "SOFTMAX", "SPLIT", "SPLIT_V", "SQUEEZE"}
    | {"STRIDED_SLICE", "SUB", "SUM", "TANH", "TRANSPOSE", "UNPACK"}
)
"""Operators whose uint8 kernels compute what their int8 kernels do, shifted by 128."""


def to_int8(graph: Graph) -> tuple[Graph, frozenset[int]]:
    """Shift all quantized uint8 tensors; returns the graph and which tensors they were."""
    found = frozenset(
        index
        for index, tensor in enumerate(graph.tensors)
        if tensor.dtype is DType.UINT8 and tensor.quantization is not None
    )
    tensors = tuple(
        _shift(tensor) if index in found else tensor for index, tensor in enumerate(graph.tensors)
    )
    return replace(graph, tensors=tensors), found


def _shift(tensor: Tensor) -> Tensor:
    data = tensor.data
    if data is not None:
        data = (np.frombuffer(data, np.uint8) ^ 0x80).tobytes()
    assert tensor.quantization is not None
    zero_points = tuple(zero_point - 128 for zero_point in tensor.quantization.zero_points)
    shifted = Quantization(tensor.quantization.scales, zero_points, tensor.quantization.axis)
    return replace(tensor, dtype=DType.INT8, data=data, quantization=shifted)
