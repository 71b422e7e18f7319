"""The order of a graph: every tensor is there before it is read, and is made once."""

from toolchain.errors import ModelRefused
from toolchain.tflite.model import Graph, Tensor


def check_order(graph: Graph) -> None:
    """Check that operators stand in an order in which they can run.

    Raises:
        ModelRefused: an operator reads what no earlier one makes (a cycle, or an unsorted graph),
            writes a constant or an input, or makes a tensor anew; or an output is never made.
    """
    made = set(graph.inputs)
    for index in graph.inputs:
        if graph.tensors[index].is_constant:
            raise ModelRefused(f"tensor {index}: is an input of the graph and a constant")
    for number, operator in enumerate(graph.operators):
        where = f"operator {number} ({operator.name})"
        for index in operator.inputs:
            if index >= 0 and index not in made and not _is_given(graph.tensors[index]):
                raise ModelRefused(
                    f"{where}: reads tensor {index}, which no earlier operator makes; "
                    "the graph is cyclic or not sorted"
                )
        for index in operator.outputs:
            if index in made or graph.tensors[index].is_constant:
                raise ModelRefused(f"{where}: writes tensor {index}, which already has a value")
            made.add(index)
    for index in graph.outputs:
        if index not in made and not _is_given(graph.tensors[index]):
            raise ModelRefused(f"tensor {index}: is an output of the graph, but never made")


def _is_given(tensor: Tensor) -> bool:
    return tensor.is_constant or tensor.is_variable or tensor.size_bytes == 0
