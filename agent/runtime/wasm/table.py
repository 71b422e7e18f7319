"""The table of tensors in a module's memory, which the module may fill with anything."""

import struct
from collections.abc import Callable
from typing import NamedTuple

from agent.errors import ModelError
from agent.runtime.tensor_record import (
    MAX_NAME_BYTES,
    MAX_OPERANDS,
    RECORD_BYTES,
    TensorRecord,
    name_at,
    read_record,
)

ABI = 1
_TABLE = struct.Struct("<9I")
_UNSIGNED = 0xFFFFFFFF


class Placed(NamedTuple):
    """A tensor and where its bytes are in memory: a multiple of the element's size, all inside."""

    record: TensorRecord
    address: int


def describe(
    memory: memoryview, call: Callable[..., int]
) -> tuple[tuple[Placed, ...], tuple[Placed, ...]]:
    """Return a module's inputs and outputs.

    Args:
        memory: the module's, as bytes.
        call: calls an export by name with integers, and returns an i32.

    Raises:
        ModelError: another interface, the plan is refused, or the table leads outside memory.
    """
    if (abi := call("sv_abi")) != ABI:
        raise ModelError(f"has interface {abi}, here it is {ABI}; convert the model again")
    address = call("sv_describe") & _UNSIGNED
    if address == 0:
        status = call("sv_invoke")
        raise ModelError(f"does not describe itself, with status {status}; convert it again")
    words = _TABLE.unpack(_bytes(memory, address, _TABLE.size))
    _, _, tensors, operands, input_count, output_count, strings, _, _ = words
    if not 1 <= input_count <= MAX_OPERANDS or not 1 <= output_count <= MAX_OPERANDS:
        raise ModelError(f"claims {input_count} inputs and {output_count} outputs")
    count = input_count + output_count
    numbers = struct.unpack(f"<{count}H", _bytes(memory, operands, 2 * count))
    records = [_record(memory, tensors + RECORD_BYTES * number, strings) for number in numbers]
    return (
        tuple(_placed(memory, records[i], call("sv_input", i)) for i in range(input_count)),
        tuple(
            _placed(memory, records[input_count + i], call("sv_output", i))
            for i in range(output_count)
        ),
    )


def _record(memory: memoryview, address: int, strings: int) -> TensorRecord:
    record = _bytes(memory, address, RECORD_BYTES)
    start = strings + name_at(record)
    return read_record(record, bytes(memory[start : start + MAX_NAME_BYTES]))


def _placed(memory: memoryview, record: TensorRecord, address: int) -> Placed:
    address &= _UNSIGNED
    if address == 0 or address % record.item_bytes or address + record.bytes > len(memory):
        raise ModelError(
            f"puts {record.info} at address {address} of {len(memory)}; convert the model again"
        )
    return Placed(record, address)


def _bytes(memory: memoryview, address: int, size: int) -> bytes:
    if address + size > len(memory):
        raise ModelError(f"has a table at address {address}, outside its {len(memory)} bytes")
    return bytes(memory[address : address + size])
