"""The way from a model to a plan."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from toolchain.errors import ModelRefused
from toolchain.lowering.constants import ConstantPool
from toolchain.lowering.node import Step
from toolchain.lowering.order import orders
from toolchain.lowering.place import Layout, place
from toolchain.lowering.program import Program, program
from toolchain.lowering.settings import Settings
from toolchain.plan.numbers import Place
from toolchain.plan.plan import Plan, PlanOperator, PlanTensor
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Tensor

DTYPES = frozenset({DType.FLOAT32, DType.INT32, DType.INT16, DType.INT8})


def lower(model: Model, settings: Settings | None = None) -> Plan:
    """Lower the first graph of a model.

    Raises:
        ModelRefused: an operator, or what it is used with, is not supported; the text names the
            operator and its position.
    """
    settings = settings or Settings()
    constants = ConstantPool()
    made = program(model, settings, constants)
    graph, steps = made.graph, made.steps
    _check_ports(graph)
    order, layout = _arrange(made)
    used = _used(graph, steps)
    number = {index: place for place, index in enumerate(used)}
    tensors = tuple(
        replace(
            _tensor(graph.tensors[index], layout.tensors.get(index), constants),
            is_uint8_outside=index in made.were_uint8,
            name=_name(graph, index),
        )
        for index in used
    )
    plan_operators = tuple(
        _operator(steps[position], number, layout.scratch.get(step, 0))
        for step, position in enumerate(order)
        if position in steps
    )
    return Plan(
        rounding=settings.rounding,
        target=settings.target,
        arena_bytes=layout.arena_bytes,
        tensors=tensors,
        operators=plan_operators,
        inputs=tuple(number[index] for index in graph.inputs),
        outputs=tuple(number[index] for index in graph.outputs),
        constants=constants.to_bytes(),
        resets=sum(position < made.resets for position in steps),
    )


def _arrange(made: Program) -> tuple[tuple[int, ...], Layout]:
    """Place the tensors in several orders; the first of the smallest arenas is kept."""
    found = []
    for order in orders(made.graph):
        operators = tuple(made.graph.operators[position] for position in order)
        moved = {new: made.steps[old] for new, old in enumerate(order) if old in made.steps}
        layout = place(replace(made.graph, operators=operators), moved, made.views)
        found.append((order, layout))
    return min(found, key=lambda one: one[1].arena_bytes)


def _check_ports(graph: Graph) -> None:
    for index in (*graph.inputs, *graph.outputs):
        if graph.tensors[index].is_dynamic:
            raise ModelRefused(
                f"tensor {index}: its shape is only known at run time; export with fixed shapes"
            )


def _used(graph: Graph, steps: Mapping[int, Step]) -> list[int]:
    """Tensors that are read, written, or at the border; in order of their index."""
    found = {*graph.inputs, *graph.outputs}
    for step in steps.values():
        found |= {*step.inputs, step.output}
    return sorted(found)


def _name(graph: Graph, index: int) -> str:
    """Inside, one of the names that a converter joined when it fused operators says enough."""
    name = graph.tensors[index].name
    return name if index in (*graph.inputs, *graph.outputs) else name.partition(";")[0]


def _tensor(tensor: Tensor, offset: int | None, constants: ConstantPool) -> PlanTensor:
    _check_tensor(tensor)
    is_constant = tensor.data is not None
    if tensor.data is not None:
        offset = constants.add(np.frombuffer(tensor.data, np.uint8))
    assert offset is not None
    is_quantized = tensor.dtype in (DType.INT8, DType.INT16)
    quantization = tensor.quantization if is_quantized else None
    return PlanTensor(
        dtype=tensor.dtype,
        shape=tensor.shape,
        place=Place.CONSTANTS if is_constant else Place.ARENA,
        offset=offset,
        scale=quantization.scales[0] if quantization else 0.0,
        zero_point=quantization.zero_points[0] if quantization else 0,
        name=tensor.name,
        is_variable=tensor.is_variable,
    )


def _check_tensor(tensor: Tensor) -> None:
    """What the engine asks of every tensor, and what no operator has asked yet."""
    if tensor.dtype not in DTYPES:
        raise ModelRefused(f"tensor {tensor.name!r}: {tensor.dtype.label} is not supported")
    if 0 in tensor.shape or tensor.size_bytes >= 1 << 31:
        raise ModelRefused(
            f"tensor {tensor.name!r}: shape {list(tensor.shape)} is empty or too large"
        )
    zero_point = tensor.quantization.zero_points[0] if tensor.quantization else 0
    if tensor.dtype is DType.INT8 and not -128 <= zero_point <= 127:
        raise ModelRefused(f"tensor {tensor.name!r}: its zero point is outside int8")
    if tensor.dtype is DType.INT16 and zero_point:
        raise ModelRefused(f"tensor {tensor.name!r}: it has a zero point; int16 must be symmetric")


def _operator(step: Step, number: dict[int, int], scratch: int) -> PlanOperator:
    return PlanOperator(
        opcode=step.opcode,
        inputs=tuple(number[index] for index in step.inputs),
        outputs=(number[step.output],),
        parameters=step.parameters,
        layout=step.layout,
        scratch=scratch,
        scratch_bytes=step.scratch_bytes,
    )
