"""When each activation must be held, in steps of the operators' order."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from toolchain.tflite.model import Graph

ALIASES = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
"""Operators whose output is their input's bytes under another shape: they need no room of it."""


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of memory that must be held from step `first` to step `last`, both included.

    Attributes:
        tensors: indices of the tensors that lie in it, one behind the other in time.
        size_bytes: the largest of them.
    """

    tensors: tuple[int, ...]
    first: int
    last: int
    size_bytes: int


def blocks_of(graph: Graph, views: Mapping[int, int] = MappingProxyType({})) -> tuple[Block, ...]:
    """List the blocks of a graph, in order of their first tensor's index.

    Inputs are held from step 0, outputs to the last step, variables throughout. Constants need no
    memory here, and nothing is computed in place.

    Args:
        graph: in the order in which it runs.
        views: tensors that lie in another's memory, and which that is.
    """
    end = max(0, len(graph.operators) - 1)
    root = _roots(graph, views)
    first: dict[int, int] = {}
    last: dict[int, int] = {}

    def hold(index: int, step: int) -> None:
        if index >= 0 and not graph.tensors[index].is_constant:
            first[index] = min(first.get(index, step), step)
            last[index] = max(last.get(index, step), step)

    for index in graph.inputs:
        hold(index, 0)
    for step, operator in enumerate(graph.operators):
        for index in (*operator.inputs, *operator.outputs):
            hold(index, step)
    for index in graph.outputs:
        hold(index, end)
    for index, tensor in enumerate(graph.tensors):
        if tensor.is_variable:
            hold(index, 0)
            hold(index, end)
    members: dict[int, list[int]] = {}
    for index in sorted(first):
        members.setdefault(root.get(index, index), []).append(index)
    return tuple(
        Block(
            tuple(group),
            min(first[index] for index in group),
            max(last[index] for index in group),
            max(graph.tensors[index].size_bytes for index in group),
        )
        for group in members.values()
    )


def live_bytes(blocks: tuple[Block, ...]) -> list[int]:
    """Sum the blocks that are held at each step."""
    steps = max((block.last for block in blocks), default=-1) + 1
    change = [0] * (steps + 1)
    for block in blocks:
        change[block.first] += block.size_bytes
        change[block.last + 1] -= block.size_bytes
    live, held = [], 0
    for step in range(steps):
        held += change[step]
        live.append(held)
    return live


def _roots(graph: Graph, views: Mapping[int, int]) -> dict[int, int]:
    """Map each aliased tensor to the one whose bytes it shows."""
    root = dict(views)
    for operator in graph.operators:
        if operator.name in ALIASES and operator.inputs and operator.outputs:
            source, target = operator.inputs[0], operator.outputs[0]
            if not _is_fixed(graph, source) and not _is_fixed(graph, target):
                root[target] = root.get(source, source)
    return root


def _is_fixed(graph: Graph, index: int) -> bool:
    tensor = graph.tensors[index]
    return tensor.is_constant or tensor.is_variable
