"""The one interface of every runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from agent.errors import ModelError

if TYPE_CHECKING:  # the agent's main process reads this page, and must stay free of numpy
    from numpy.typing import NDArray


@dataclass(frozen=True)
class TensorInfo:
    """Shape and quantization of one input or output: real = scale × (stored - zero_point).

    Attributes:
        scale: 0.0 when the tensor is not quantized.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} {list(self.shape)}"

    def check(self, array: NDArray[Any]) -> None:
        """Refuse an array that is not of this shape and dtype.

        Raises:
            ModelError: it says what is wanted and what came.
        """
        if array.shape != self.shape or array.dtype.name != self.dtype:
            raise ModelError(
                f"the model wants {self}, got {array.dtype.name} {list(array.shape)[:8]}"
            )


@dataclass(frozen=True)
class RuntimeInfo:
    """What serves a model, for `status` and results.

    Attributes:
        here: the runtime of this process, if `runtime` is elsewhere.
    """

    runtime: str
    detail: str
    threads: int
    here: str = ""


class LoadedModel(Protocol):
    """A model that is ready to answer.

    Views point into the runtime's own memory: drop each before the next `invoke`.
    """

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    def info(self) -> RuntimeInfo:
        """Say what serves the model."""

    def macs(self) -> int | None:
        """Return the multiply-accumulates of one run; None if they cannot be counted."""

    def input_view(self, index: int) -> NDArray[Any]:
        """Return a writable view of an input."""

    def invoke(self) -> None:
        """Compute the outputs from the inputs.

        Raises:
            ModelError: the runtime failed on this model.
        """

    def output_view(self, index: int) -> NDArray[Any]:
        """Return a view of an output, valid until the next `invoke`."""

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Copy `inputs` in, invoke, and copy the outputs out.

        Raises:
            ModelError: a count, shape or dtype does not fit; the text names it.
        """
