"""An operator of the model on its way into the plan, and what becomes of it."""

from dataclasses import dataclass

from toolchain.plan.numbers import Opcode
from toolchain.plan.records import Record
from toolchain.tflite.model import Operator
from toolchain.tflite.slots import Activation


@dataclass(frozen=True, slots=True)
class Node:
    """An operator with what was folded into it.

    Attributes:
        number: its position in its graph.
        graph: which of the model's graphs that is.
        pad: rows above and below, columns left and right, that a folded PAD puts around its input.
        activation: that of a folded RELU; goes before the operator's own.
    """

    operator: Operator
    number: int
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    activation: Activation | None = None
    graph: int = 0

    @property
    def where(self) -> str:
        """Position and name, for people."""
        graph = f"graph {self.graph}, " if self.graph else ""
        return f"{graph}operator {self.number} ({self.operator.label})"


@dataclass(frozen=True, slots=True)
class Step:
    """One operator of the plan, over the model's tensor indices.

    Attributes:
        in_place: inputs whose memory the output may take over.
    """

    opcode: Opcode
    inputs: tuple[int, ...]
    output: int
    parameters: Record
    layout: int = 0
    scratch_bytes: int = 0
    in_place: tuple[int, ...] = ()
