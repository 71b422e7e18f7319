"""How a target wants an operator's weights.

A build of the engine may bring its own kernel for an opcode under another layout number. What it
does not bring runs on the portable kernel, whose layout is 0: the weights as the model has them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from toolchain.plan.numbers import Opcode, Target


@dataclass(frozen=True, slots=True)
class Packing:
    """A layout number, and the weights' way into it."""

    layout: int
    pack: Callable[[NDArray[Any]], NDArray[Any]]


PORTABLE = Packing(0, lambda weights: weights)
OF_TARGET: dict[tuple[Target, Opcode], Packing] = {}


def packing(target: Target, opcode: Opcode) -> Packing:
    """The packing that this target's kernel for this opcode reads."""
    return OF_TARGET.get((target, opcode), PORTABLE)
