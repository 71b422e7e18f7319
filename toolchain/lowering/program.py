"""The steps that a model becomes, in order, before they have places in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from toolchain.lowering.constants import ConstantPool
from toolchain.lowering.fold import fold
from toolchain.lowering.idle_channels import without_idle_channels
from toolchain.lowering.node import Node, Step
from toolchain.lowering.operators.state import copy, fill, first_of_equal, initial
from toolchain.lowering.operators.table import lowering_of
from toolchain.lowering.settings import Settings
from toolchain.lowering.site import Site
from toolchain.lowering.uint8 import SUPPORTED, to_int8
from toolchain.lowering.variables import with_state
from toolchain.lowering.views import roots, views
from toolchain.memory.lifetimes import ALIASES
from toolchain.tflite.model import Graph, Model, Operator, Tensor


@dataclass(frozen=True, slots=True)
class Program:
    """Steps over tensors.

    Attributes:
        graph: has an operator for each step, and reshapes, which need none.
        steps: by position in `graph.operators`.
        views: tensors that lie in a variable's memory, and which that is.
        resets: how many operators come first and set the variables.
        were_uint8: tensors that are uint8 in the model's file.
    """

    graph: Graph
    steps: Mapping[int, Step]
    views: Mapping[int, int]
    resets: int
    were_uint8: frozenset[int]


def program(model: Model, settings: Settings, constants: ConstantPool) -> Program:
    """Fold and lower the first graph of a model; weights and tables go to `constants`.

    Raises:
        ModelRefused: an operator, or what it is used with, is not supported; the text names the
            operator and its position.
    """
    state = with_state(model)
    shifted, were_uint8 = to_int8(state.graph)
    graph, nodes = fold(shifted, state.nodes)
    if settings.drops_idle_channels:
        graph, nodes = without_idle_channels(graph, nodes, settings, were_uint8)
    resets = sum(node.graph > 0 for node in nodes)
    building = _Building(graph, views(graph, nodes, resets), roots(nodes))
    for variable in state.unset:
        value = building.temporary(initial(graph.tensors[variable]))
        building.add("ASSIGN_VARIABLE", fill(value, variable, graph.tensors[variable].elements))
    sets = resets
    for place, node in enumerate(nodes):
        if place == sets:
            resets = len(building.operators)
        if node.operator.name in _COPIES:
            building.move(node)
            continue
        site = Site(node, graph, settings, constants, were_uint8, building.temporaries)
        if node.operator.name in ALIASES:
            site.input(0, site.output().dtype)
            building.operators.append(node.operator)
            continue
        for step in _lower(site):
            building.add(node.operator.name, step)
    return Program(
        graph=replace(
            graph,
            tensors=(*graph.tensors, *building.temporaries),
            operators=tuple(building.operators),
        ),
        steps=building.steps,
        views=building.views,
        resets=resets if sets < len(nodes) else len(building.operators),
        were_uint8=were_uint8,
    )


_COPIES = frozenset({"READ_VARIABLE", "ASSIGN_VARIABLE"})


def _lower(site: Site) -> Sequence[Step]:
    lowering = lowering_of(site)
    if lowering is None:
        site.refuse("is not supported by the engine; run this model with the tflite runtime")
    if site.were_uint8.intersection(site.operator.inputs) and site.operator.name not in SUPPORTED:
        site.refuse("is not supported with uint8 inputs; quantize the model to int8")
    steps = lowering(site)
    return steps if isinstance(steps, tuple) else (steps,)


@dataclass(slots=True)
class _Building:
    graph: Graph
    views: dict[int, int]
    roots: dict[int, int]
    temporaries: list[Tensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    steps: dict[int, Step] = field(default_factory=dict)

    def add(self, name: str, step: Step) -> None:
        self.steps[len(self.operators)] = step
        self.operators.append(Operator(name, step.inputs, (step.output,)))

    def temporary(self, tensor: Tensor) -> int:
        self.temporaries.append(tensor)
        return len(self.graph.tensors) + len(self.temporaries) - 1

    def move(self, node: Node) -> None:
        """Copy into or out of a variable, unless the tensor lies there anyway."""
        (source,), (target,) = node.operator.inputs, node.operator.outputs
        if self.views.get(target) == source:
            return
        if self.views.get(self.roots.get(source, source)) == target:
            return
        elements = self.graph.tensors[target].elements
        one = first_of_equal(self.graph.tensors[source])
        step = copy(source, target, elements)
        if one is not None:
            step = fill(self.temporary(one), target, elements)
        self.add(node.operator.name, step)
