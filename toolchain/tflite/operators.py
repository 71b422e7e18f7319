"""Operators out of tables: a known code, tensors that exist, options of the right kind."""

from dataclasses import dataclass
from typing import Any

from toolchain.errors import ModelRefused
from toolchain.tflite.flatbuffer import Table
from toolchain.tflite.model import Operator
from toolchain.tflite.operator_codes import CUSTOM, NAMES
from toolchain.tflite.option_tables import OF_OPERATOR, UNION
from toolchain.tflite.options import Options
from toolchain.tflite.slots import Field, fields_of

MAX_OPERANDS = 4096


@dataclass(frozen=True, slots=True)
class OperatorCode:
    """What the operators of one code have in common."""

    name: str
    version: int
    custom_name: str


def read_code(table: Table) -> OperatorCode:
    """Read one operator code.

    Raises:
        ModelRefused: the code is not in the schema.
    """
    # Codes above 127 stand in the newer field only, codes of old files in the older one only.
    number = max(table.scalar(0, "b", 0), table.scalar(3, "i", 0))
    if not 0 <= number < len(NAMES):
        raise ModelRefused(f"{table.where}: unknown builtin operator {number}")
    custom_name = table.text(1) or "without a name" if number == CUSTOM else ""
    return OperatorCode(NAMES[number], table.scalar(2, "i", 1), custom_name)


def read_operator(table: Table, codes: list[OperatorCode], tensor_count: int) -> Operator:
    """Read one operator.

    Raises:
        ModelRefused: its code or a tensor of it does not exist, or its options are another's.
    """
    number = table.scalar(0, "I", 0)
    if number >= len(codes):
        raise ModelRefused(f"{table.where}: operator code {number} of {len(codes)} does not exist")
    code = codes[number]
    table.where = f"{table.where} ({code.name})"
    return Operator(
        name=code.name,
        inputs=read_indices(table, 1, tensor_count, lowest=-1),
        outputs=read_indices(table, 2, tensor_count),
        version=code.version,
        options=_options(table, code.name),
        custom_name=code.custom_name,
        custom_options=table.data(5) or b"",
    )


def read_indices(table: Table, slot: int, tensor_count: int, lowest: int = 0) -> tuple[int, ...]:
    """Read a list of tensor indices, each at least `lowest` and below `tensor_count`.

    Raises:
        ModelRefused: one is not.
    """
    indices = table.vector(slot, "i", MAX_OPERANDS)
    for index in indices:
        if not lowest <= index < tensor_count:
            raise ModelRefused(f"{table.where}: tensor {index} of {tensor_count} does not exist")
    return indices


def _options(table: Table, name: str) -> Options | None:
    kind = OF_OPERATOR.get(name)
    if kind is None:
        return None
    union = table.scalar(3, "B", 0)
    found = table.table(4, f"{table.where} options") if union else None
    if found is None:
        return kind()
    if union != UNION[kind]:
        raise ModelRefused(f"{table.where}: its options are those of another operator")
    return kind(**{field.name: _value(found, field) for field in fields_of(kind)})


def _value(table: Table, field: Field) -> Any:
    slot = field.slot
    if slot.format.startswith("["):
        return table.vector(slot.number, slot.format[1:-1], MAX_OPERANDS)
    if slot.format == "s":
        return table.text(slot.number)
    value = table.scalar(slot.number, slot.format, field.default)
    try:
        return field.convert(value)
    except ValueError:
        raise ModelRefused(f"{table.where}: unknown {field.name} {value}") from None
