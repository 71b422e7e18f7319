"""Operators that disappear into their neighbours before anything is lowered."""

from toolchain.lowering.node import Node
from toolchain.tflite.model import Graph


def fold(graph: Graph) -> tuple[Graph, tuple[Node, ...]]:
    """Fold what can be folded without changing a value.

    Returns:
        The graph that remains, and its operators with what was folded into them.
    """
    nodes = tuple(Node(operator, number) for number, operator in enumerate(graph.operators))
    return graph, nodes
