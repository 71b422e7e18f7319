"""Offsets for blocks in one arena: first gap among those that live at the same time.

Greedy placement depends on the order in which blocks are placed, and no order is best for every
graph: largest first (TFLite Micro's), by the most crowded step they live through, and in order of
time are all tried, and the smallest arena is kept.
"""

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass

from toolchain.errors import ModelRefused
from toolchain.memory.lifetimes import Block, live_bytes

ALIGNMENT_BYTES = 16
MAX_BLOCKS = 2048
"""Placement takes time in the square of this."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Where each block lies.

    Attributes:
        offsets: bytes from the start of the arena, in the order of the blocks; multiples of 16.
        arena_bytes: end of the block that ends last.
        lower_bound_bytes: most bytes that are held at one step; no plan can need less.
        order: the order of placement that gave this plan.
    """

    offsets: tuple[int, ...]
    arena_bytes: int
    lower_bound_bytes: int
    order: str


def plan(blocks: tuple[Block, ...]) -> Plan:
    """Place blocks without overlap of any two that live at the same time.

    Raises:
        ModelRefused: more than `MAX_BLOCKS` blocks.
    """
    if len(blocks) > MAX_BLOCKS:
        raise ModelRefused(f"{len(blocks)} activations, more than the limit of {MAX_BLOCKS}")
    live = live_bytes(blocks)
    bound = max(live, default=0)
    plans = []
    for name, key in _orders(live).items():
        ranking = sorted(range(len(blocks)), key=lambda number: key(blocks[number]))
        offsets = _place(blocks, ranking)
        ends = (offset + one.size_bytes for offset, one in zip(offsets, blocks, strict=True))
        plans.append(Plan(offsets, max(ends, default=0), bound, name))
    return min(plans, key=lambda found: found.arena_bytes)


def _orders(live: list[int]) -> dict[str, Callable[[Block], tuple[int, ...]]]:
    def by_breadth(block: Block) -> tuple[int, ...]:
        return (-max(live[block.first : block.last + 1]), -block.size_bytes, block.first)

    return {
        "size": lambda block: (-block.size_bytes, block.first),
        "breadth": by_breadth,
        "time": lambda block: (block.first, -block.size_bytes),
    }


def _place(blocks: tuple[Block, ...], ranking: list[int]) -> tuple[int, ...]:
    offsets = [0] * len(blocks)
    placed: list[tuple[int, int]] = []
    for number in ranking:
        block, offset = blocks[number], 0
        for start, other in placed:
            held = blocks[other]
            if held.last < block.first or block.last < held.first or not held.size_bytes:
                continue
            if start - offset >= block.size_bytes:
                break
            offset = max(offset, _align(start + held.size_bytes))
        offsets[number] = offset
        insort(placed, (offset, number))
    return tuple(offsets)


def _align(offset: int) -> int:
    return -(-offset // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
