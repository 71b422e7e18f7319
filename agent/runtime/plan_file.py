"""What is read of a `.plan` file before the engine checks the rest (docs/reference/plan.md)."""

import struct
from dataclasses import dataclass

from agent.errors import ModelError
from agent.runtime.tensor_record import (
    MAX_NAME_BYTES,
    MAX_OPERANDS,
    RECORD_BYTES,
    TensorRecord,
    name_at,
    read_record,
)

MAGIC = b"SVPL"
VERSION = 1
MAX_ARENA_BYTES = 256 << 20
_HEADER = struct.Struct("<4sHBB3I4H9I")


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A plan and its tensors.

    Attributes:
        inputs: number and record of each tensor.
        has_variables: it keeps values from run to run.
    """

    data: bytes
    arena_bytes: int
    inputs: tuple[tuple[int, TensorRecord], ...]
    outputs: tuple[tuple[int, TensorRecord], ...]
    has_variables: bool = False


def read_plan(data: bytes) -> PlanFile:
    """Read the header and the network's inputs and outputs; the engine checks the whole.

    Raises:
        ModelError: truncated, of another version, too large, or a table leads outside.
    """
    if len(data) < _HEADER.size:
        raise ModelError("is a truncated plan; copy it again")
    fields = _HEADER.unpack_from(data)
    magic, version, _, _, length, _, arena_bytes, tensor_count, _, *rest = fields
    input_count, output_count, _, tensors, _, operands, _, _, strings, strings_bytes, resets = rest
    if magic != MAGIC or version != VERSION:
        raise ModelError(f"is no plan of format {VERSION}; convert the model again")
    if length > len(data):
        raise ModelError(f"is truncated: {len(data)} of {length} bytes; copy it again")
    if arena_bytes > MAX_ARENA_BYTES:
        raise ModelError(f"wants {arena_bytes} bytes of memory; the limit is {MAX_ARENA_BYTES}")
    if not 1 <= input_count <= MAX_OPERANDS or not 1 <= output_count <= MAX_OPERANDS:
        raise ModelError(f"claims {input_count} inputs and {output_count} outputs")
    text = _part(data, length, strings, strings_bytes)
    count = input_count + output_count
    numbers = struct.unpack(f"<{count}H", _part(data, length, operands, 2 * count))
    found = []
    for number in numbers:
        if number >= tensor_count:
            raise ModelError(f"is damaged: it refers to tensor {number} of {tensor_count}")
        record = _part(data, length, tensors + RECORD_BYTES * number, RECORD_BYTES)
        start = name_at(record)
        found.append((number, read_record(record, text[start : start + MAX_NAME_BYTES])))
    inputs, outputs = tuple(found[:input_count]), tuple(found[input_count:])
    return PlanFile(data, arena_bytes, inputs, outputs, has_variables=resets > 0)


def _part(data: bytes, length: int, start: int, size: int) -> bytes:
    if start + size > length:
        raise ModelError(f"is a damaged plan: byte {start + size} of {length}; copy it again")
    return data[start : start + size]
