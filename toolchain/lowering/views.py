"""Which reads and assignments of variables need no copy: the tensor can lie in the variable."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from toolchain.lowering.node import Node
from toolchain.memory.lifetimes import ALIASES
from toolchain.tflite.model import Graph


def roots(nodes: Sequence[Node]) -> dict[int, int]:
    """Map each reshaped tensor to the one whose bytes it shows."""
    found: dict[int, int] = {}
    for node in nodes:
        if node.operator.name in ALIASES:
            source = node.operator.inputs[0]
            found[node.operator.outputs[0]] = found.get(source, source)
    return found


def views(graph: Graph, nodes: Sequence[Node], resets: int) -> dict[int, int]:
    """Map tensors to the variable in whose memory they lie.

    What is read shows the variable itself, unless it is still wanted when the variable is next
    assigned. What is assigned is made in the variable, if nobody wants the old value from the step
    that makes it on.
    """
    uses = _uses(graph, nodes)
    found: dict[int, int] = {}
    for variable in (index for index, tensor in enumerate(graph.tensors) if tensor.is_variable):
        accesses = _Accesses.of(nodes, variable)
        shown = {
            target
            for place, target in accesses.reads
            if not any(place < write < max(uses[target], default=0) for write in accesses.writes)
        }
        found |= dict.fromkeys(shown, variable)
        writes = [place for place in accesses.writes if place >= resets]
        value = _made_alone(graph, nodes, writes)
        if value is None or value[1] in found or value[0] < resets:
            continue
        made, source = value
        held = [
            place
            for read, target in accesses.reads
            if read < writes[0]
            for place in (uses[target] if target in shown else (read,))
        ]
        if not any(place >= made for place in held):
            found[source] = variable
    return found


@dataclass(frozen=True, slots=True)
class _Accesses:
    reads: tuple[tuple[int, int], ...]
    writes: tuple[int, ...]

    @classmethod
    def of(cls, nodes: Sequence[Node], variable: int) -> "_Accesses":
        operators = [(place, node.operator) for place, node in enumerate(nodes)]
        return cls(
            tuple(
                (place, one.outputs[0])
                for place, one in operators
                if one.name == "READ_VARIABLE" and one.inputs[0] == variable
            ),
            tuple(
                place
                for place, one in operators
                if one.name == "ASSIGN_VARIABLE" and one.outputs[0] == variable
            ),
        )


def _uses(graph: Graph, nodes: Sequence[Node]) -> Mapping[int, list[int]]:
    """Where each tensor's bytes are read, under whatever shape; outputs also behind the end."""
    root = roots(nodes)
    found: dict[int, list[int]] = {index: [] for index in range(len(graph.tensors))}
    for place, index in (*_inputs(nodes), *((len(nodes), index) for index in graph.outputs)):
        found[root.get(index, index)].append(place)
    return found


def _inputs(nodes: Sequence[Node]) -> Iterator[tuple[int, int]]:
    for place, node in enumerate(nodes):
        if node.operator.name not in ALIASES:
            yield from ((place, index) for index in node.operator.inputs if index >= 0)


def _made_alone(
    graph: Graph, nodes: Sequence[Node], writes: Sequence[int]
) -> tuple[int, int] | None:
    """Where the value of the only assignment is made, and which tensor that is."""
    if len(writes) != 1:
        return None
    value = nodes[writes[0]].operator.inputs[0]
    source = roots(nodes).get(value, value)
    if source in graph.inputs:
        return None
    for place, node in enumerate(nodes):
        if source in node.operator.outputs and node.operator.name != "READ_VARIABLE":
            return place, source
    return None
