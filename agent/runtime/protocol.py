"""The one interface of every runtime."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

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


@dataclass(frozen=True)
class RuntimeInfo:
    """What serves a model, for `status` and results."""

    runtime: str
    detail: str
    threads: int


class LoadedModel(Protocol):
    """A model that is ready to answer.

    Views point into the runtime's own memory: drop each before the next `invoke`.
    """

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    def info(self) -> RuntimeInfo:
        """Say what serves the model."""

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
