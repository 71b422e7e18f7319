"""How far a reconstruction is from what went in."""

from collections.abc import Sequence
from math import isfinite

import numpy as np

from agent.config.processing import AnomalyPostprocess
from agent.errors import ConfigError
from agent.pipeline.postprocess.dequantize import Dequantizer, Tree, describe_output, elements
from agent.pipeline.postprocess.latch import Latch
from agent.pipeline.postprocess.regress import significant
from agent.pipeline.sample import Tensor
from agent.runtime.protocol import TensorInfo


class AnomalyPostprocessor:
    """Mean squared or absolute error in real values, held against a threshold."""

    needs_input = True

    def __init__(
        self,
        config: AnomalyPostprocess,
        outputs: Sequence[TensorInfo],
        model_input: TensorInfo,
        previous: "AnomalyPostprocessor | None",
    ) -> None:
        """Prepare for an output of the input's size; the state of `previous` goes on.

        Raises:
            ConfigError: the model does not reconstruct its input, or release exceeds the threshold.
        """
        if len(outputs) != 1 or elements(outputs[0]) != elements(model_input):
            given = "; ".join(describe_output(output) for output in outputs[:4])
            raise ConfigError(
                f"postprocess.kind anomaly: the model takes {elements(model_input)} values, but "
                f"its {given}: choose a model that reconstructs its input, or another kind"
            )
        self._real_input = Dequantizer(model_input).real
        self._real_output = Dequantizer(outputs[0]).real
        self._squared = config.error == "mse"
        self._threshold = config.threshold
        self._release = config.threshold if config.release is None else config.release
        if self._release > self._threshold:
            raise ConfigError(
                f"postprocess.release: {self._release:g} exceeds the threshold "
                f"{self._threshold:g}: give an error below which all is well, or leave it out"
            )
        self._only_news = config.report == "change"
        self._latch: Latch[bool] = Latch(
            previous._latch.state if previous else False,
            config.debounce,
            fresh=previous._latch.fresh if previous else True,
        )
        self._finite = True

    def result(self, outputs: Sequence[Tensor], model_input: Tensor | None) -> Tree | None:
        """Return the error and whether it is anomalous, or None when that is no news."""
        assert model_input is not None, "anomaly needs the model's input"
        error = self._error(outputs[0].reshape(-1), model_input.reshape(-1))
        latch = self._latch
        finite = isfinite(error)
        news = finite != self._finite
        self._finite = finite
        if finite:
            bound = self._release if latch.state else self._threshold
            news = latch.step(error >= bound) or news
        if self._only_news and not news:
            return None
        if finite:
            return {"task": "anomaly", "error": error, "anomalous": latch.state}
        return {"task": "anomaly", "error": None, "anomalous": latch.state, "finite": False}

    def _error(self, output: Tensor, model_input: Tensor) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            difference = self._real_output(output) - self._real_input(model_input)
            each = difference if self._squared else np.sign(difference)
            total = float(np.dot(difference, each))
        return significant(total / difference.size)
