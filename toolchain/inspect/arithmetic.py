"""What a model computes in: integers, floats, or the dangerous mixture of both."""

from toolchain.tflite.dtype import FLOATS, WEIGHT_INTEGERS, DType
from toolchain.tflite.model import Graph, Operator

_WEIGHTS = {
    "CONV_2D": 1,
    "DEPTHWISE_CONV_2D": 1,
    "TRANSPOSE_CONV": 1,
    "FULLY_CONNECTED": 1,
    "BATCH_MATMUL": 1,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": 1,
    "BIDIRECTIONAL_SEQUENCE_LSTM": 1,
    "UNIDIRECTIONAL_SEQUENCE_RNN": 1,
    "LSTM": 1,
    "SVDF": 1,
    "EMBEDDING_LOOKUP": 1,
}
"""Operators with weights, and which input holds them."""


def is_dynamic_range(graph: Graph, operator: Operator) -> bool:
    """Whether integer weights meet float activations, which are then quantized anew each run."""
    number = _WEIGHTS.get(operator.name)
    if number is None or len(operator.inputs) <= number or not operator.outputs:
        return False
    weights = graph.tensors[operator.inputs[number]]
    output = graph.tensors[operator.outputs[0]]
    return weights.is_constant and weights.dtype in WEIGHT_INTEGERS and output.dtype in FLOATS


def arithmetic(graph: Graph) -> str:
    """Name what the operators with weights compute in.

    Returns:
        `int8`, `uint8`, `int16` (activations; weights int8), `float32`, `float16`, `dynamic-range`,
        `mixed` for several of these, or `none` without weights.
    """
    kinds = {
        "dynamic-range" if is_dynamic_range(graph, operator) else _activations(graph, operator)
        for operator in graph.operators
        if operator.name in _WEIGHTS and operator.outputs
    }
    if "dynamic-range" in kinds:
        return "dynamic-range"
    return kinds.pop() if len(kinds) == 1 else "mixed" if kinds else "none"


def _activations(graph: Graph, operator: Operator) -> str:
    dtype: DType = graph.tensors[operator.outputs[0]].dtype
    return dtype.label
