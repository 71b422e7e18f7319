"""Orders in which a graph's operators can run, to choose the one that needs the least memory."""

from collections.abc import Iterator

from toolchain.tflite.model import Graph

MAX_OPERATORS = 1000
"""Beyond this the model's own order is the only one: looking for another takes quadratic time."""


def orders(graph: Graph) -> Iterator[tuple[int, ...]]:
    """Yield orders as positions in `graph.operators`: the model's own, then greedy ones.

    A greedy order takes, of the operators whose inputs are there, the one after which the least
    memory is held; or the one that holds the least while it runs.
    """
    yield tuple(range(len(graph.operators)))
    if any(tensor.is_variable for tensor in graph.tensors):
        return  # reads and writes of a variable stand in the model's order
    if len(graph.operators) <= MAX_OPERATORS and _has_branches(graph):
        yield _greedy(graph, counts_peak=False)
        yield _greedy(graph, counts_peak=True)


def _has_branches(graph: Graph) -> bool:
    made = [index for operator in graph.operators for index in operator.outputs]
    read = [i for operator in graph.operators for i in set(operator.inputs)]
    return any(read.count(index) > 1 for index in (*made, *graph.inputs)) or len(graph.inputs) > 1


def _greedy(graph: Graph, *, counts_peak: bool) -> tuple[int, ...]:
    size = [0 if tensor.is_constant else tensor.size_bytes for tensor in graph.tensors]
    readers: dict[int, set[int]] = {}
    missing: dict[int, set[int]] = {}
    made = {index for operator in graph.operators for index in operator.outputs}
    for position, operator in enumerate(graph.operators):
        missing[position] = made.intersection(operator.inputs)
        for index in operator.inputs:
            readers.setdefault(index, set()).add(position)

    def cost(position: int) -> tuple[int, int]:
        operator = graph.operators[position]
        gained = sum(size[index] for index in operator.outputs)
        freed = sum(
            size[index]
            for index in set(operator.inputs)
            if index >= 0 and readers[index] == {position} and index not in graph.outputs
        )
        return (gained if counts_peak else gained - freed, position)

    order = []
    while missing:
        position = min((one for one in missing if not missing[one]), key=cost)
        del missing[position]
        order.append(position)
        for index in graph.operators[position].inputs:
            readers[index].discard(position)
        for others in missing.values():
            others.difference_update(graph.operators[position].outputs)
    return tuple(order)
