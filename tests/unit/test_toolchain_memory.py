"""Memory plans: nothing that lives at the same time overlaps, and little is wasted."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.small_models import activations, conv_model
from toolchain.errors import ModelRefused
from toolchain.memory.lifetimes import Block, blocks_of, live_bytes
from toolchain.memory.placement import ALIGNMENT_BYTES, MAX_BLOCKS, plan
from toolchain.tflite.model import Graph, Operator


@st.composite
def some_blocks(draw):
    count = draw(st.integers(0, 12))
    found = []
    for number in range(count):
        first = draw(st.integers(0, 10))
        last = draw(st.integers(first, min(12, first + 6)))
        found.append(Block((number,), first, last, draw(st.integers(0, 400))))
    return tuple(found)


@settings(max_examples=200, deadline=None)
@given(some_blocks())
def test_what_lives_at_the_same_time_does_not_overlap(blocks):
    found = plan(blocks)
    assert len(found.offsets) == len(blocks)
    assert all(offset % ALIGNMENT_BYTES == 0 for offset in found.offsets)
    placed = list(zip(blocks, found.offsets, strict=True))
    for (one, start), (other, begin) in itertools.combinations(placed, 2):
        at_once = one.first <= other.last and other.first <= one.last
        apart = start + one.size_bytes <= begin or begin + other.size_bytes <= start
        assert not at_once or apart or 0 in (one.size_bytes, other.size_bytes)
    assert found.arena_bytes == max((o + b.size_bytes for b, o in placed), default=0)


@settings(max_examples=100, deadline=None)
@given(some_blocks())
def test_the_lower_bound_is_the_most_crowded_step(blocks):
    by_hand = [
        sum(block.size_bytes for block in blocks if block.first <= step <= block.last)
        for step in range(max((block.last for block in blocks), default=-1) + 1)
    ]
    assert live_bytes(blocks) == by_hand
    assert plan(blocks).lower_bound_bytes == max(by_hand, default=0) <= plan(blocks).arena_bytes


def test_a_chain_needs_its_widest_pair():
    sizes = [64, 160, 32, 320, 16]
    graph = Graph(
        activations([(size,) for size in sizes]),
        tuple(Operator("RELU", (i,), (i + 1,)) for i in range(4)),
        (0,),
        (4,),
    )
    found = plan(blocks_of(graph))
    assert found.arena_bytes == found.lower_bound_bytes == 32 + 320


def test_largest_first_is_not_always_best():
    blocks = tuple(
        Block((number,), *lives)
        for number, lives in enumerate([(0, 0, 48), (0, 1, 32), (1, 2, 48), (2, 2, 64)])
    )
    found = plan(blocks)
    assert found.lower_bound_bytes == 112
    assert found.arena_bytes < 144


def test_the_input_lives_until_it_is_read_and_the_output_to_the_end():
    graph = Graph(
        activations([(8,), (16,), (32,), (4,)]),
        (
            Operator("RELU", (0,), (1,)),
            Operator("RELU", (1,), (2,)),
            Operator("ADD", (2, 0), (3,)),
        ),
        (0,),
        (1, 3),
    )
    assert [(b.tensors, b.first, b.last) for b in blocks_of(graph)] == [
        ((0,), 0, 2),
        ((1,), 0, 2),
        ((2,), 1, 2),
        ((3,), 2, 2),
    ]


def test_a_reshape_needs_no_room_of_its_own_and_constants_none():
    blocks = blocks_of(conv_model().main)
    assert [block.tensors for block in blocks] == [(0,), (3, 5), (6,)]
    assert [(block.first, block.last) for block in blocks] == [(0, 0), (0, 2), (2, 2)]
    assert live_bytes(blocks) == [32 + 12, 12, 12 + 12]


def test_a_graph_without_operators_holds_its_inputs():
    graph = Graph(activations([(8,)]), (), (0,), (0,))
    assert plan(blocks_of(graph)).arena_bytes == 8


def test_too_many_blocks_are_refused():
    blocks = tuple(Block((number,), 0, 0, 1) for number in range(MAX_BLOCKS + 1))
    with pytest.raises(ModelRefused, match="2049 activations"):
        plan(blocks)
