"""Where a field of an options table lies in the schema, and the enumerations found there."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import IntEnum
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints


class Padding(IntEnum):
    """How a window meets the border."""

    SAME = 0
    VALID = 1


class Activation(IntEnum):
    """The function fused behind an operator."""

    NONE = 0
    RELU = 1
    RELU_N1_TO_1 = 2
    RELU6 = 3
    TANH = 4
    SIGN_BIT = 5


class WeightsFormat(IntEnum):
    """Layout of fully connected weights."""

    DEFAULT = 0
    SHUFFLED_4X16_INT8 = 1


@dataclass(frozen=True, slots=True)
class Slot:
    """A field's number in its table, and its `struct` format; `[i]` is a vector, `s` a string."""

    number: int
    format: str


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an options table, as reader and writer need it."""

    name: str
    slot: Slot
    default: Any
    convert: Callable[[Any], Any]


def fields_of(kind: type) -> tuple[Field, ...]:
    """List the fields of an options class, each of which is `Annotated` with its `Slot`."""
    return _fields_of(kind)


@cache
def _fields_of(kind: type) -> tuple[Field, ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple(_field(one.name, one.default, hints[one.name]) for one in fields(kind))


def _field(name: str, default: Any, hint: Any) -> Field:
    type_, slot = get_args(hint)
    return Field(name, slot, default, get_origin(type_) or type_)
