"""The interfaces of what surrounds the model inside a pipeline."""

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from agent.pipeline.sample import Sample


class Preprocessor(Protocol):
    """Turns samples into model inputs; built for one input tensor."""

    def push(self, sample: Sample) -> int:
        """Take a sample; return how many model inputs are ready now.

        Raises:
            ConfigError: samples of this kind or shape cannot feed this model.
        """

    def fill(self, tensor: NDArray[Any]) -> None:
        """Write the oldest ready input into `tensor` (the model's shape and dtype) and drop it."""


class Postprocessor(Protocol):
    """Turns the model's raw outputs into the `outputs` of a result; built for its output tensors.

    Attributes:
        needs_input: `result` compares outputs with the input; else it is handed None.
    """

    needs_input: bool

    def result(
        self, outputs: Sequence[NDArray[Any]], model_input: NDArray[Any] | None
    ) -> dict[str, Any] | None:
        """Return plain JSON values, or None when nothing is to be reported.

        Args:
            outputs: in the model's dtype; valid only during the call.
            model_input: what went into the model, in its dtype, if `needs_input`.
        """
