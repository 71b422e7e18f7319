"""Graphs that are run by operators of others."""

from toolchain.errors import ModelRefused
from toolchain.tflite.model import Graph
from toolchain.tflite.options import CallOnce


def check_calls(graphs: tuple[Graph, ...]) -> None:
    """Check that each CALL_ONCE calls another graph, which takes and gives nothing.

    Raises:
        ModelRefused: it does not; graphs that call one another in a circle are among these.
    """
    for number, graph in enumerate(graphs):
        for place, operator in enumerate(graph.operators):
            if not isinstance(operator.options, CallOnce):
                continue
            where = f"graph {number}, operator {place} (CALL_ONCE)"
            called = operator.options.graph
            if not 0 < called < len(graphs):
                raise ModelRefused(f"{where}: graph {called} of {len(graphs)} cannot be called")
            if graphs[called].inputs or graphs[called].outputs:
                raise ModelRefused(f"{where}: graph {called} takes or gives tensors")
            if any(one.name == "CALL_ONCE" for one in graphs[called].operators):
                raise ModelRefused(f"{where}: graph {called} calls another one")
