"""How much arithmetic a model is: multiply-accumulates (MAC) by operator."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Operator:
    """One step of a model; an operand that is left out has the shape ()."""

    name: str
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]


_UNCOUNTED = frozenset(
    {
        "BATCH_MATMUL",
        "BIDIRECTIONAL_SEQUENCE_LSTM",
        "BIDIRECTIONAL_SEQUENCE_RNN",
        "CONV_3D",
        "CONV_3D_TRANSPOSE",
        "LSTM",
        "RNN",
        "SVDF",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "UNIDIRECTIONAL_SEQUENCE_RNN",
    }
)


def macs(operators: Iterable[Operator]) -> int | None:
    """Count the MACs of one inference, or None if an operator has some that we cannot count."""
    total = 0
    for operator in operators:
        if operator.name in _UNCOUNTED:
            return None
        total += _macs(operator)
    return total


def _macs(operator: Operator) -> int:
    match operator.name:
        case "CONV_2D":  # weights: output channel, height, width, input channel
            return prod(operator.outputs[0]) * prod(operator.inputs[1][1:])
        case "DEPTHWISE_CONV_2D":  # weights: 1, height, width, channel
            return prod(operator.outputs[0]) * prod(operator.inputs[1][1:3])
        case "TRANSPOSE_CONV":  # inputs: output shape, weights as CONV_2D, input
            return prod(operator.inputs[2]) * prod(operator.inputs[1][:3])
        case "FULLY_CONNECTED":  # weights: output, input
            return prod(operator.outputs[0]) * operator.inputs[1][1]
    return 0
