"""Where the tensors of a plan lie: in place where that helps, then by the memory planner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolchain.lowering.node import Step
from toolchain.memory.lifetimes import Block, blocks_of
from toolchain.memory.placement import plan
from toolchain.tflite.model import Graph


@dataclass(frozen=True, slots=True)
class Layout:
    """Offsets in the arena: of tensors by their index, of scratch by the operator's position."""

    tensors: Mapping[int, int]
    scratch: Mapping[int, int]
    arena_bytes: int
    lower_bound_bytes: int


def place(
    graph: Graph, steps: Mapping[int, Step], views: Mapping[int, int] | None = None
) -> Layout:
    """Place the activations of a graph.

    The inputs' memory is used again once they are read. Sharing memory between input and output
    of an operator is tried, and kept unless it makes the arena larger.

    Args:
        graph: what is executed, in order.
        steps: by position in `graph.operators`; operators without one need no work.
        views: tensors that lie in another's memory, and which that is.
    """
    blocks = list(blocks_of(graph, views or {}))
    layouts = [_layout(merged, steps) for merged in (share(blocks, graph, steps), blocks)]
    return min(layouts, key=lambda layout: layout.arena_bytes)


def share(blocks: Sequence[Block], graph: Graph, steps: Mapping[int, Step]) -> list[Block]:
    """Join the blocks of an operator's output and of an input that nobody reads afterwards."""
    owner = {tensor: block for block in blocks for tensor in block.tensors}
    for position, step in sorted(steps.items()):
        target = owner[step.output]
        for index in step.in_place:
            source = owner.get(index)
            if source is None or source is target or not _fits(graph, index, step.output):
                continue
            is_wanted = any(tensor in graph.outputs for tensor in source.tensors)
            is_kept = any(graph.tensors[tensor].is_variable for tensor in source.tensors)
            if source.last == position == target.first and not (is_wanted or is_kept):
                joined = Block(
                    (*source.tensors, *target.tensors),
                    source.first,
                    target.last,
                    max(source.size_bytes, target.size_bytes),
                )
                owner.update(dict.fromkeys(joined.tensors, joined))
                break
    return list(dict.fromkeys(owner.values()))


def _fits(graph: Graph, source: int, target: int) -> bool:
    return graph.tensors[source].size_bytes == graph.tensors[target].size_bytes


def _layout(blocks: Sequence[Block], steps: Mapping[int, Step]) -> Layout:
    scratch = {
        position: Block((), position, position, step.scratch_bytes)
        for position, step in steps.items()
        if step.scratch_bytes
    }
    found = plan((*blocks, *scratch.values()))
    offsets = {
        tensor: offset
        for block, offset in zip(blocks, found.offsets, strict=False)
        for tensor in block.tensors
    }
    rest = found.offsets[len(blocks) :]
    return Layout(
        tensors=offsets,
        scratch=dict(zip(scratch, rest, strict=True)),
        arena_bytes=found.arena_bytes,
        lower_bound_bytes=found.lower_bound_bytes,
    )
