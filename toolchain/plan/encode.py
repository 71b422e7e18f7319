"""A `Plan` to bytes."""

import struct
import zlib
from dataclasses import replace

from toolchain.errors import ModelRefused
from toolchain.plan.layout import CRC_START, HEADER_BYTES, Header, OperatorRecord, TensorRecord
from toolchain.plan.numbers import (
    ALIGNMENT_BYTES,
    MAGIC,
    MAX_RANK,
    UINT8_OUTSIDE,
    VARIABLE,
    VERSION,
)
from toolchain.plan.plan import Plan, PlanTensor


def encode(plan: Plan) -> bytes:
    """Write a plan; equal plans give equal bytes, and `decode` gives the plan back.

    Raises:
        ModelRefused: a number is too large for its field, or a shape has too many dimensions.
    """
    try:
        return _encode(plan)
    except struct.error as error:
        raise ModelRefused(f"the model is too large for a plan: {error}") from None


def _encode(plan: Plan) -> bytes:
    names = bytearray(b"\0")
    tensors = b"".join(_tensor(tensor, names).pack() for tensor in plan.tensors)
    operands = [*plan.inputs, *plan.outputs]
    constants = bytearray(plan.constants)
    operators = bytearray()
    for operator in plan.operators:
        constants += bytes(-len(constants) % 4)
        operators += OperatorRecord(
            opcode=operator.opcode,
            version=operator.version,
            layout=operator.layout,
            input_count=len(operator.inputs),
            output_count=len(operator.outputs),
            operands=len(operands),
            parameters=len(constants),
            scratch=operator.scratch,
            scratch_bytes=operator.scratch_bytes,
        ).pack()
        operands += [*operator.inputs, *operator.outputs]
        constants += operator.parameters.pack()
    constants += bytes(-len(constants) % 4)
    body = bytearray()
    packed_operands = struct.pack(f"<{len(operands)}H", *operands)
    sections = (tensors, operators, packed_operands, constants, names)
    starts = [_append(body, section) for section in sections]
    header = Header(
        magic=MAGIC,
        version=VERSION,
        rounding=plan.rounding,
        target=plan.target,
        length=HEADER_BYTES + len(body),
        crc32=0,
        arena_bytes=plan.arena_bytes,
        tensor_count=len(plan.tensors),
        operator_count=len(plan.operators),
        input_count=len(plan.inputs),
        output_count=len(plan.outputs),
        operand_count=len(operands),
        tensors=starts[0],
        operators=starts[1],
        operands=starts[2],
        constants=starts[3],
        constants_bytes=len(constants),
        strings=starts[4],
        strings_bytes=len(names),
        reset_count=plan.resets,
    )
    crc32 = zlib.crc32(body, zlib.crc32(header.pack()[CRC_START:]))
    return replace(header, crc32=crc32).pack() + bytes(body)


def _append(body: bytearray, section: bytes | bytearray) -> int:
    """Put a section behind the others; returns where it starts in the plan."""
    start = HEADER_BYTES + len(body)
    body += section
    body += bytes(-len(body) % ALIGNMENT_BYTES)
    return start


def _tensor(tensor: PlanTensor, names: bytearray) -> TensorRecord:
    if len(tensor.shape) > MAX_RANK:
        raise ModelRefused(f"tensor {tensor.name!r}: more than {MAX_RANK} dimensions")
    name = len(names) if tensor.name else 0
    if tensor.name:
        names += tensor.name.replace("\0", "").encode() + b"\0"
    return TensorRecord(
        tensor.dtype,
        len(tensor.shape),
        tensor.place,
        UINT8_OUTSIDE * tensor.is_uint8_outside | VARIABLE * tensor.is_variable,
        tensor.offset,
        tensor.size_bytes,
        name,
        tensor.scale,
        tensor.zero_point,
        *tensor.shape,
        *(1,) * (MAX_RANK - len(tensor.shape)),
    )
