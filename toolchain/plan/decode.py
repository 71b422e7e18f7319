"""Bytes to a `Plan`: for tools that look into one. What may run is the engine's own check."""

import struct
import zlib

from toolchain.errors import ModelRefused
from toolchain.plan.layout import (
    CRC_START,
    HEADER_BYTES,
    OPERATOR_BYTES,
    TENSOR_BYTES,
    Header,
    OperatorRecord,
    TensorRecord,
)
from toolchain.plan.numbers import (
    MAGIC,
    MAX_RANK,
    UINT8_OUTSIDE,
    VARIABLE,
    VERSION,
    Opcode,
    Place,
    Rounding,
    Target,
)
from toolchain.plan.operators import PARAMETERS
from toolchain.plan.plan import Plan, PlanOperator, PlanTensor
from toolchain.tflite.dtype import DType


def decode(data: bytes) -> Plan:
    """Read a plan.

    Raises:
        ModelRefused: no plan, another version, truncated, or a number that means nothing.
    """
    try:
        return _decode(memoryview(data))
    except (struct.error, ValueError, KeyError, IndexError) as error:
        if isinstance(error, ModelRefused):
            raise
        raise ModelRefused(f"plan: is damaged ({error}); convert the model again") from None


def _decode(data: memoryview) -> Plan:
    header = Header.unpack(data)
    if header.magic != MAGIC:
        raise ModelRefused("not a plan: byte 0 has no 'SVPL'; name a .plan file")
    if header.version != VERSION:
        raise ModelRefused(f"plan: format version {header.version}, only {VERSION} is known")
    if not HEADER_BYTES <= header.length <= len(data):
        raise ModelRefused(f"plan: says {header.length} bytes, has {len(data)}; copy it again")
    data = data[: header.length]
    if zlib.crc32(data[CRC_START:]) != header.crc32:
        raise ModelRefused("plan: the CRC-32 is wrong; copy it again")
    strings = _section(data, header.strings, header.strings_bytes)
    constants = _section(data, header.constants, header.constants_bytes)
    operands = struct.unpack_from(f"<{header.operand_count}H", data, header.operands)
    records = [
        OperatorRecord.unpack(data, header.operators + number * OPERATOR_BYTES)
        for number in range(header.operator_count)
    ]
    end = min((record.parameters for record in records), default=len(constants))
    ports = header.input_count + header.output_count
    return Plan(
        rounding=Rounding(header.rounding),
        target=Target(header.target),
        arena_bytes=header.arena_bytes,
        tensors=tuple(
            _tensor(TensorRecord.unpack(data, header.tensors + number * TENSOR_BYTES), strings)
            for number in range(header.tensor_count)
        ),
        operators=tuple(_operator(record, operands, constants) for record in records),
        inputs=_indices(operands, 0, header.input_count),
        outputs=_indices(operands, header.input_count, ports - header.input_count),
        constants=bytes(constants[:end]),
        resets=header.reset_count,
    )


def _section(data: memoryview, start: int, size: int) -> memoryview:
    if start + size > len(data):
        raise ModelRefused(f"plan: {size} bytes at {start} lie outside; convert the model again")
    return data[start : start + size]


def _indices(operands: tuple[int, ...], start: int, count: int) -> tuple[int, ...]:
    if start + count > len(operands):
        raise ModelRefused("plan: an operator lacks operands; convert the model again")
    return operands[start : start + count]


def _tensor(record: TensorRecord, strings: memoryview) -> PlanTensor:
    if record.rank > MAX_RANK:
        raise ModelRefused(f"plan: a tensor of {record.rank} dimensions; convert the model again")
    shape = (record.dim0, record.dim1, record.dim2, record.dim3, record.dim4, record.dim5)
    name = bytes(strings[record.name :]).partition(b"\0")[0] if record.name else b""
    return PlanTensor(
        dtype=DType(record.dtype),
        shape=shape[: record.rank],
        place=Place(record.place),
        offset=record.offset,
        scale=record.scale,
        zero_point=record.zero_point,
        name=name.decode(errors="replace"),
        is_uint8_outside=bool(record.flags & UINT8_OUTSIDE),
        is_variable=bool(record.flags & VARIABLE),
    )


def _operator(
    record: OperatorRecord, operands: tuple[int, ...], constants: memoryview
) -> PlanOperator:
    opcode = Opcode(record.opcode)
    return PlanOperator(
        opcode=opcode,
        inputs=_indices(operands, record.operands, record.input_count),
        outputs=_indices(operands, record.operands + record.input_count, record.output_count),
        parameters=PARAMETERS[opcode].unpack(constants, record.parameters),
        version=record.version,
        layout=record.layout,
        scratch=record.scratch,
        scratch_bytes=record.scratch_bytes,
    )
