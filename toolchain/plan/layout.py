"""The records around which a plan's bytes are built; docs/reference/plan.md specifies them."""

from dataclasses import dataclass
from typing import Annotated

from toolchain.plan.records import F32, I32, U8, U16, U32, Record, size_bytes

Magic = Annotated[bytes, "4s"]


@dataclass(frozen=True, slots=True)
class Header(Record):
    """The first 64 bytes; the CRC-32 covers everything behind byte 16."""

    magic: Magic
    version: U16
    rounding: U8
    target: U8
    length: U32
    crc32: U32
    arena_bytes: U32
    tensor_count: U16
    operator_count: U16
    input_count: U16
    output_count: U16
    operand_count: U32
    tensors: U32
    operators: U32
    operands: U32
    constants: U32
    constants_bytes: U32
    strings: U32
    strings_bytes: U32
    reset_count: U32 = 0


@dataclass(frozen=True, slots=True)
class TensorRecord(Record):
    """One tensor, 48 bytes."""

    dtype: U8
    rank: U8
    place: U8
    flags: U8
    offset: U32
    bytes: U32
    name: U32
    scale: F32
    zero_point: I32
    dim0: U32
    dim1: U32
    dim2: U32
    dim3: U32
    dim4: U32
    dim5: U32


@dataclass(frozen=True, slots=True)
class OperatorRecord(Record):
    """One operator, 24 bytes."""

    opcode: U16
    version: U8
    layout: U8
    input_count: U16
    output_count: U16
    operands: U32
    parameters: U32
    scratch: U32
    scratch_bytes: U32


HEADER_BYTES = size_bytes(Header)
TENSOR_BYTES = size_bytes(TensorRecord)
OPERATOR_BYTES = size_bytes(OperatorRecord)
CRC_START = 16
