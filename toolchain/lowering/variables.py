"""Variables of streaming models: tensors of their own, set before the first run.

VAR_HANDLE names a variable, READ_VARIABLE and ASSIGN_VARIABLE move its value, CALL_ONCE runs a
graph that sets the first one. Here all become one graph in which a variable is a tensor, handles
are gone, and READ and ASSIGN are copies; `views` then tells which of those are not needed.
"""

from dataclasses import dataclass, field, replace
from typing import NoReturn

from toolchain.errors import ModelRefused
from toolchain.lowering.node import Node
from toolchain.tflite.model import Graph, Model, Operator, Tensor
from toolchain.tflite.options import CallOnce, VarHandle

Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class State:
    """The first graph of a model with its variables as tensors.

    Attributes:
        nodes: in order; READ_VARIABLE and ASSIGN_VARIABLE have the variable's tensor in place of
            the handle: its input and its output.
        resets: of the nodes, how many come first and only run when the state is reset.
        unset: variables that no reset sets.
    """

    graph: Graph
    nodes: tuple[Node, ...]
    resets: int = 0
    unset: tuple[int, ...] = ()


def with_state(model: Model) -> State:
    """Make variables tensors.

    Raises:
        ModelRefused: a variable has no handle or several shapes, is used before CALL_ONCE, or the
            graph that is called once takes or gives tensors or calls another.
    """
    merging = _Merging(list(model.main.tensors))
    main = merging.add(model.main, 0, 0)
    first = next((i for i, node in enumerate(main) if node.operator.name in _MOVING), len(main))
    resets: list[Node] = []
    nodes: list[Node] = []
    for place, node in enumerate(main):
        if node.operator.name != "CALL_ONCE":
            nodes.append(node)
            continue
        if place > first:
            _refuse(node, "stands behind an operator that uses a variable")
        resets += _called(model, node, merging)
    if not merging.variables:
        return State(model.main, tuple(nodes))
    graph = replace(model.main, tensors=tuple(merging.tensors))
    written = {node.operator.outputs[0] for node in resets if node.operator.name in _MOVING}
    unset = tuple(index for index in merging.variables.values() if index not in written)
    return State(graph, (*resets, *nodes), len(resets), unset)


_MOVING = frozenset({"READ_VARIABLE", "ASSIGN_VARIABLE"})


def _called(model: Model, node: Node, merging: "_Merging") -> list[Node]:
    options = node.operator.options
    assert isinstance(options, CallOnce)
    number = options.graph
    if not 0 < number < len(model.graphs):
        _refuse(node, f"calls graph {number} of {len(model.graphs)}")
    called = model.graphs[number]
    calls_on = any(one.name == "CALL_ONCE" for one in called.operators)
    if called.inputs or called.outputs or calls_on:
        _refuse(node, f"graph {number} takes or gives tensors, or calls another")
    start = len(merging.tensors)
    merging.tensors += called.tensors
    return merging.add(called, number, start)


@dataclass(slots=True)
class _Merging:
    tensors: list[Tensor]
    variables: dict[Name, int] = field(default_factory=dict)
    handles: dict[int, Name] = field(default_factory=dict)

    def add(self, graph: Graph, number: int, start: int) -> list[Node]:
        """The nodes of a graph whose tensors begin at `start`; handles disappear."""
        nodes = []
        for position, operator in enumerate(graph.operators):
            moved = replace(
                operator,
                inputs=tuple(index + start if index >= 0 else -1 for index in operator.inputs),
                outputs=tuple(index + start for index in operator.outputs),
            )
            node = Node(moved, position, graph=number)
            if operator.name == "VAR_HANDLE":
                assert isinstance(operator.options, VarHandle)
                self.handles[moved.outputs[0]] = (
                    operator.options.container,
                    operator.options.shared_name,
                )
            elif operator.name in _MOVING:
                nodes.append(replace(node, operator=self._resolved(node)))
            else:
                nodes.append(node)
        return nodes

    def _resolved(self, node: Node) -> Operator:
        operator = node.operator
        name = self.handles.get(operator.inputs[0])
        if name is None:
            _refuse(node, "its variable is not the output of a VAR_HANDLE")
        if operator.name == "READ_VARIABLE":
            variable = self._variable(node, name, operator.outputs[0])
            return replace(operator, inputs=(variable,))
        value = operator.inputs[1]
        return replace(operator, inputs=(value,), outputs=(self._variable(node, name, value),))

    def _variable(self, node: Node, name: Name, value: int) -> int:
        tensor = self.tensors[value]
        if name not in self.variables:
            self.variables[name] = len(self.tensors)
            label = "/".join(filter(None, name))
            self.tensors.append(replace(tensor, name=label, data=None, is_variable=True))
        index = self.variables[name]
        known = self.tensors[index]
        if (known.shape, known.dtype) != (tensor.shape, tensor.dtype):
            _refuse(
                node,
                f"its variable is {known.dtype.label}{list(known.shape)}, "
                f"not {tensor.dtype.label}{list(tensor.shape)}",
            )
        if known.quantization is None and tensor.quantization is not None:
            self.tensors[index] = replace(known, quantization=tensor.quantization)
        return index


def _refuse(node: Node, reason: str) -> NoReturn:
    raise ModelRefused(f"{node.where}: {reason}")
