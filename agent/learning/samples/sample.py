"""One labelled sample: what a model was given, and what the right answer would have been."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.errors import SampleError
from broker.contract.shape.constraints import shorten

MAX_EXAMPLE_BYTES = 750_000
"""In base64 it still fits into one frame between a pipeline's child and the main process."""

MAX_LABEL = 128
MAX_TARGETS = 4096
MAX_TARGET = 1e30
ITEM_BYTES = {"int8": 1, "uint8": 1, "int16": 2, "int32": 4, "float32": 4}
Label = str | tuple[float, ...]
"""The name of a class, or the numbers that should have been predicted."""


@dataclass(frozen=True, slots=True)
class Example:
    """A model's input as the model got it; real = scale × (stored - zero_point) if scale > 0."""

    data: bytes
    dtype: str
    scale: float = 0.0
    zero_point: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """An example and its label.

    Attributes:
        origin: where it is from; the same origin again replaces its label.
    """

    origin: str
    label: Label
    example: Example


def check_example(example: Example) -> None:
    """Refuse an example that no model could have been given.

    Raises:
        SampleError: it is empty, too long, or of another type of number.
    """
    if not 0 < len(example.data) <= MAX_EXAMPLE_BYTES:
        raise SampleError(
            f"an example of {len(example.data)} bytes is refused: 1 to {MAX_EXAMPLE_BYTES} are kept"
        )
    size = ITEM_BYTES.get(example.dtype)
    if size is None or len(example.data) % size:
        raise SampleError(f"an example of {shorten(example.dtype)} is refused: {len(example.data)}")
    if not 0 <= example.scale < 1e30 or abs(example.zero_point) > 2**31:
        raise SampleError("an example is refused: its scale or zero point is absurd")


def label_of(said: Any) -> Label:
    """Read a label from outside: a class by name or number, or a list of targets.

    Raises:
        SampleError: it is none of them.
    """
    if isinstance(said, int) and not isinstance(said, bool) and 0 <= said < 2**16:
        return str(said)
    if isinstance(said, str) and 0 < len(said) <= MAX_LABEL and said.isprintable():
        return said
    if isinstance(said, Sequence) and not isinstance(said, str) and 0 < len(said) <= MAX_TARGETS:
        targets = tuple(float(x) for x in said if _is_target(x))
        if len(targets) == len(said):
            return targets
    raise SampleError(
        f"label {shorten(said)} is refused: give the name or number of a class, or a list of"
        f" 1 to {MAX_TARGETS} numbers"
    )


def class_name(label: Label, names: tuple[str, ...]) -> Label:
    """The name of a class for its number, if it has one."""
    if isinstance(label, str) and label.isdecimal() and int(label) < len(names):
        return names[int(label)]
    return label


def _is_target(said: Any) -> bool:
    plain = isinstance(said, int | float) and not isinstance(said, bool)
    return plain and abs(said) <= MAX_TARGET  # false for NaN, too
