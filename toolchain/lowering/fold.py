"""Operators that disappear into their neighbours before anything is lowered."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from toolchain.lowering.node import Node
from toolchain.memory.lifetimes import ALIASES
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Operator, Tensor
from toolchain.tflite.slots import Activation

_WINDOWED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})
_CLAMPING = frozenset(
    {"ADD", "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
    | {"MAX_POOL_2D", "MUL", "SUB"}
)
_ACTIVATIONS = {
    "RELU": Activation.RELU,
    "RELU6": Activation.RELU6,
    "RELU_N1_TO_1": Activation.RELU_N1_TO_1,
}
_DTYPES = frozenset({DType.INT8, DType.INT16, DType.FLOAT32})


def fold(graph: Graph, given: Sequence[Node]) -> tuple[Graph, tuple[Node, ...]]:
    """Fold what can be folded without changing a value.

    A PAD goes into the convolution behind it, whose own padding is the zero point as well; a RELU
    that does not rescale goes into the range of the operator before it; a RESHAPE of a constant
    becomes a constant, and so do float16 weights behind a DEQUANTIZE.

    Returns:
        The graph that remains, and its operators with what was folded into them.
    """
    graph, nodes = _fold_constants(graph, list(given))
    uses = Counter(index for node in nodes for index in node.operator.inputs)
    uses.update(graph.outputs)
    nodes = _fold_pads(graph, nodes, uses)
    nodes = _fold_activations(graph, nodes, uses)
    return replace(graph, operators=tuple(node.operator for node in nodes)), tuple(nodes)


def _fold_constants(graph: Graph, nodes: list[Node]) -> tuple[Graph, list[Node]]:
    tensors, kept = list(graph.tensors), []
    for node in nodes:
        source = tensors[node.operator.inputs[0]] if node.operator.inputs else None
        if node.operator.name in ALIASES and source is not None and source.data is not None:
            target = node.operator.outputs[0]
            tensors[target] = replace(tensors[target], data=source.data)
        elif _is_half(node.operator, source) and source is not None and source.data is not None:
            target = node.operator.outputs[0]
            wide = np.frombuffer(source.data, "<f2").astype("<f4")
            tensors[target] = replace(tensors[target], data=wide.tobytes())
        else:
            kept.append(node)
    return replace(graph, tensors=tuple(tensors)), kept


def _is_half(operator: Operator, source: Tensor | None) -> bool:
    return operator.name == "DEQUANTIZE" and source is not None and source.dtype is DType.FLOAT16


def _fold_pads(graph: Graph, nodes: list[Node], uses: Counter[int]) -> list[Node]:
    pads = {
        node.operator.outputs[0]: (node, around)
        for node in nodes
        if node.operator.name == "PAD" and (around := _paddings(graph, node.operator))
    }
    folded, kept = set(), []
    for node in nodes:
        source = node.operator.inputs[0] if node.operator.inputs else -1
        if node.operator.name in _WINDOWED and source in pads and uses[source] == 1:
            pad, around = pads[source]
            folded.add((pad.graph, pad.number))
            inputs = (pad.operator.inputs[0], *node.operator.inputs[1:])
            kept.append(replace(node, operator=replace(node.operator, inputs=inputs), pad=around))
        else:
            kept.append(node)
    return [node for node in kept if (node.graph, node.number) not in folded]


def _paddings(graph: Graph, pad: Operator) -> tuple[int, int, int, int] | None:
    """Rows and columns around a picture; None if this PAD does something else."""
    if len(pad.inputs) != 2 or len(pad.outputs) != 1:
        return None
    source, around, target = (graph.tensors[i] for i in (*pad.inputs, pad.outputs[0]))
    is_plain = source.quantization == target.quantization and source.dtype in _DTYPES
    if around.data is None or around.dtype is not DType.INT32 or around.shape != (4, 2):
        return None
    batch, rows, columns, channels = np.frombuffer(around.data, "<i4").reshape(4, 2).tolist()
    if not is_plain or len(source.shape) != 4 or any((*batch, *channels)):
        return None
    if min(*rows, *columns) < 0:
        return None
    height, width = source.shape[1] + sum(rows), source.shape[2] + sum(columns)
    if target.shape != (source.shape[0], height, width, source.shape[3]):
        return None
    return rows[0], rows[1], columns[0], columns[1]


def _fold_activations(graph: Graph, nodes: list[Node], uses: Counter[int]) -> list[Node]:
    kept: list[Node] = []
    maker: dict[int, int] = {}
    for node in nodes:
        activation = _ACTIVATIONS.get(node.operator.name)
        source = node.operator.inputs[0] if node.operator.inputs else -1
        place = maker.get(source)
        if activation is not None and place is not None and uses[source] == 1:
            before = kept[place]
            target = node.operator.outputs[0]
            if _may_clamp(graph, before, source, target):
                operator = replace(before.operator, outputs=(target,))
                kept[place] = replace(before, operator=operator, activation=activation)
                maker[target] = place
                continue
        maker.update(dict.fromkeys(node.operator.outputs, len(kept)))
        kept.append(node)
    return kept


def _may_clamp(graph: Graph, before: Node, source: int, target: int) -> bool:
    tensors = graph.tensors[source], graph.tensors[target]
    own = getattr(before.operator.options, "activation", None)
    is_same = (tensors[0].quantization, tensors[0].shape) == (
        tensors[1].quantization,
        tensors[1].shape,
    )
    is_known = tensors[0].dtype is tensors[1].dtype and tensors[0].dtype in _DTYPES
    return (
        before.operator.name in _CLAMPING
        and before.activation is None
        and own is Activation.NONE
        and is_same
        and is_known
    )
