"""What a graph of a `.tflite` file says of itself must agree, before a runtime runs it.

Runtimes take more than they should: LiteRT runs operators whose order has a circle, and reads the
front of a constant that is too long. Field numbers are those of the published schema.
"""

from collections.abc import Iterable, Sequence
from math import prod

from agent.errors import ModelError
from agent.runtime.flatbuffer import Table

MAX_TENSOR_ELEMENTS = 1 << 28
CUSTOM = 32
"""The operator code of all operators that are no part of TFLite."""

_BITS = (32, 16, 32, 8, 64, 0, 8, 16, 64, 8, 64, 128, 64, 0, 0, 32, 16, 4, 16)
"""Of an element, by the schema's number of its type; 0 where the type has no fixed size."""


def check_graph(graph: Table, codes: Sequence[int], buffers: Sequence[int]) -> None:
    """Refuse a graph whose indices, shapes, constants or order cannot be true.

    Args:
        codes: of the model's operators, by index.
        buffers: bytes that each of the model's buffers holds, by index.

    Raises:
        ModelError: an index leads nowhere, a shape or a constant's length is not what it must be,
            or a tensor is read before it is made, made twice, or never.
    """
    tensors = graph.get(0, [])
    for number, tensor in enumerate(tensors):
        within([tensor.get(2, 0)], 0, len(buffers), "buffer")
        _check_size(number, tensor, buffers)
    within([*graph.get(1, ()), *graph.get(2, ())], 0, len(tensors), "tensor")
    for operator in graph.get(3, []):
        within([operator.get(0, 0)], 0, len(codes), "operator code")
        within([*operator.get(1, ()), *operator.get(8, ())], -1, len(tensors), "tensor")
        within(operator.get(2, ()), 0, len(tensors), "tensor")
    _check_order(graph, codes, buffers)


def within(indices: Iterable[int], lowest: int, end: int, what: str) -> None:
    """Refuse an index below `lowest`, or from `end` on.

    Raises:
        ModelError: it says which, and that it is one of a `what`.
    """
    for index in indices:
        if not lowest <= index < end:
            raise ModelError(f"is damaged: it refers to {what} {index} of {end}")


def _check_size(number: int, tensor: Table, buffers: Sequence[int]) -> None:
    shape = list(tensor.get(0, ()))
    elements = prod(shape)
    if any(size < 0 for size in shape) or elements > MAX_TENSOR_ELEMENTS:
        raise ModelError(f"is damaged: a tensor of shape {shape[:8]} is out of bounds")
    held, kind, is_sparse = _held(tensor, buffers), tensor.get(1, 0), 6 in tensor
    bits = _BITS[kind] if 0 <= kind < len(_BITS) else 0
    if not held or not bits or is_sparse:
        return
    wanted = -(-elements * bits // 8)
    if held != wanted and not (bits < 8 and held == elements):  # four bits may stand in a byte
        raise ModelError(
            f"is damaged: tensor {number} of shape {shape[:8]} needs {wanted} bytes, its buffer "
            f"has {held}; export it again"
        )


def _held(tensor: Table, buffers: Sequence[int]) -> int:
    number = tensor.get(2, 0)
    return buffers[number] if number else 0  # the first one stands for no data


def _check_order(graph: Table, codes: Sequence[int], buffers: Sequence[int]) -> None:
    tensors, operators = graph.get(0, []), graph.get(3, [])
    given = {number for number, tensor in enumerate(tensors) if _is_given(tensor, buffers)}
    results = {index for operator in operators for index in operator.get(2, ())}
    made = set(graph.get(1, ()))
    for place, operator in enumerate(operators):
        is_custom = codes[operator.get(0, 0)] == CUSTOM
        for index in operator.get(1, ()):
            # Compilers for accelerators hand scratch memory, which nobody makes, to their own.
            is_scratch = is_custom and index not in results
            if index >= 0 and index not in made and index not in given and not is_scratch:
                raise ModelError(
                    f"is damaged: operator {place} reads tensor {index}, which no earlier one "
                    "makes; export it again"
                )
        for index in operator.get(2, ()):
            if index in made or _held(tensors[index], buffers):
                raise ModelError(
                    f"is damaged: operator {place} writes tensor {index}, which already has a "
                    "value; export it again"
                )
            made.add(index)
    for index in graph.get(2, ()):
        if index not in made and index not in given:
            raise ModelError(f"is damaged: output {index} is never made; export it again")


def _is_given(tensor: Table, buffers: Sequence[int]) -> bool:
    is_variable, is_elsewhere = tensor.get(5, 0) != 0, tensor.get(10, 0) != 0
    is_empty = 0 in tensor.get(0, ())
    return _held(tensor, buffers) > 0 or is_variable or is_elsewhere or is_empty
