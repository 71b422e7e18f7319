"""Multiply-accumulates of operators, counted from shapes."""

import math

from toolchain.tflite.model import Graph, Operator, Tensor
from toolchain.tflite.options import BatchMatMul


def macs(graph: Graph, operator: Operator) -> int:
    """Count the multiply-accumulates of one run of an operator; 0 for those without weights.

    Only convolutions and matrix products count, as usual in the field: pooling, element-wise
    operators and softmax do not.
    """
    match operator.name:
        case "CONV_2D":
            return _output(graph, operator).elements * _per_channel(_input(graph, operator, 1))
        case "DEPTHWISE_CONV_2D":
            _, height, width, _ = _input(graph, operator, 1).shape
            return _output(graph, operator).elements * height * width
        case "TRANSPOSE_CONV":
            channels, height, width, _ = _input(graph, operator, 1).shape
            return _input(graph, operator, 2).elements * height * width * channels
        case "FULLY_CONNECTED":
            return _input(graph, operator, 0).elements * _input(graph, operator, 1).shape[0]
        case "BATCH_MATMUL":
            return _batch_matmul(graph, operator)
        case _:
            return 0


def _batch_matmul(graph: Graph, operator: Operator) -> int:
    options = operator.options
    left = graph.tensors[operator.inputs[0]].shape if operator.inputs else ()
    if not isinstance(options, BatchMatMul) or len(left) < 2 or not operator.outputs:
        return 0
    return _output(graph, operator).elements * left[-2 if options.transpose_left else -1]


def _per_channel(weights: Tensor) -> int:
    return math.prod(weights.shape[1:])


def _input(graph: Graph, operator: Operator, number: int) -> Tensor:
    return graph.tensors[operator.inputs[number]]


def _output(graph: Graph, operator: Operator) -> Tensor:
    return graph.tensors[operator.outputs[0]]
