"""What goes through the pipe between a learner and its trainer: nothing whose length is not known.

A request is one byte and a count; what follows has the length that both ends work out from the
module's shape. An answer is one byte, and behind it exactly what was asked for, or the length of
one line of refusal and the line.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from agent.errors import ModelError
from agent.learning.trainer.abi import FLOAT_BYTES, HYPER_COUNT, Shape

MAX_TEXT = 400
MAX_MODULE_BYTES = 16 << 20
REQUEST = struct.Struct("<BI")
SETUP = struct.Struct("<IIII")
"""Bytes of the module and of its memory at most, seconds of processor time, length of a runtime's
name; the name and the module follow."""
LENGTH = struct.Struct("<I")
LOSS = struct.Struct("<f")
EVALUATION = struct.Struct("<fi")
SHAPE = struct.Struct("<5I3?")


class Op(IntEnum):
    """What a learner asks for."""

    WRITE_PARAMETERS = 1
    WRITE_ANCHOR = 2
    WRITE_CONTROL = 3
    WRITE_HYPER = 4
    BEGIN = 5
    TRAIN = 6
    EVALUATE = 7
    READ_PARAMETERS = 8
    READ_OUTPUTS = 9
    READ_NORMS = 10


class Answer(IntEnum):
    """How an answer begins."""

    DONE = 0
    REFUSED = 1
    UNAVAILABLE = 2


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the model is worth on some examples: mean loss, and how many answers were right."""

    loss: float
    correct: int


def pack_shape(shape: Shape) -> bytes:
    """Write a shape."""
    return SHAPE.pack(
        *(shape.parameters, shape.example_floats, shape.outputs, shape.labels, shape.batch),
        *(shape.has_anchor, shape.has_control, shape.has_norms),
    )


def read_shape(data: bytes) -> Shape:
    """Read a shape that a child says.

    Raises:
        ModelError: it is out of bounds.
    """
    shape = Shape(*SHAPE.unpack(data))
    shape.check()
    return shape


def request_bytes(op: Op, count: int, shape: Shape) -> tuple[int, ...]:
    """Lengths of the pieces that follow a request."""
    match op:
        case Op.WRITE_PARAMETERS | Op.WRITE_ANCHOR | Op.WRITE_CONTROL:
            return (shape.parameter_bytes,)
        case Op.WRITE_HYPER:
            return (HYPER_COUNT * FLOAT_BYTES,)
        case Op.TRAIN | Op.EVALUATE:
            return shape.example_bytes(count), shape.label_bytes(count)
        case _:
            return ()


def answer_bytes(op: Op, count: int, shape: Shape) -> int:
    """Length of what follows an answer."""
    match op:
        case Op.TRAIN:
            return LOSS.size
        case Op.EVALUATE:
            return EVALUATION.size
        case Op.READ_PARAMETERS:
            return shape.parameter_bytes
        case Op.READ_OUTPUTS:
            return shape.output_bytes(count)
        case Op.READ_NORMS:
            return count * FLOAT_BYTES
        case _:
            return 0


def check_request(op: Op, count: int, shape: Shape) -> None:
    """Refuse a count or a wish that the module cannot serve.

    Raises:
        ModelError: the text says which.
    """
    counted = op in (Op.TRAIN, Op.EVALUATE, Op.READ_OUTPUTS, Op.READ_NORMS)
    if counted and not 1 <= count <= shape.batch:
        raise ModelError(f"takes 1 to {shape.batch} examples at once, not {count}")
    if not counted and count != 0:
        raise ModelError(f"was asked for {op.name} with a count of {count}")
    lacking = {
        Op.WRITE_ANCHOR: (shape.has_anchor, "sv_anchor: it has no FedProx"),
        Op.WRITE_CONTROL: (shape.has_control, "sv_control: it has no SCAFFOLD"),
        Op.READ_NORMS: (shape.has_norms, "sv_norms: it does not clip"),
    }
    if op in lacking and not lacking[op][0]:
        raise ModelError(f"does not export {lacking[op][1]}")
