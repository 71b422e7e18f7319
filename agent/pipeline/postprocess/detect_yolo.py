"""Detectors of the YOLO family: one tensor, a row or a column for each proposal."""

from collections.abc import Sequence

import numpy as np

from agent.config.processing import DetectPostprocess
from agent.errors import ConfigError
from agent.pipeline.postprocess.candidates import Candidates, ClassScores
from agent.pipeline.postprocess.dequantize import Dequantizer, describe_output
from agent.pipeline.sample import Floats, Tensor
from agent.runtime.protocol import TensorInfo


class YoloHead:
    """[1, n, k] or [1, k, n]; k is centre x, y, width, height, perhaps objectness, and classes."""

    def __init__(
        self,
        config: DetectPostprocess,
        outputs: Sequence[TensorInfo],
        model_input: TensorInfo,
    ) -> None:
        """Find out how the tensor lies.

        Raises:
            ConfigError: the model has no single output of this form, or other classes than labels.
        """
        self._objectness = config.objectness
        self._classes_from = 4 + config.objectness
        self._in_columns = _in_columns(config, outputs, self._classes_from)
        dequantizer = Dequantizer(outputs[0])
        self._real = dequantizer.real
        self._scores = ClassScores(dequantizer, config.activation, config.threshold)
        pixels = config.coordinates == "pixels"
        size = _picture_size(model_input) if pixels else (1, 1)
        self._unit = np.reciprocal(np.array(size * 2, np.float32))

    def candidates(self, outputs: list[Tensor]) -> Candidates:
        """Return the boxes whose score reaches the threshold."""
        tensor = outputs[0]
        table = tensor.reshape(tensor.shape[-2:])
        if self._in_columns:
            table = table.T
        chosen = self._scores.choose(
            table[:, self._classes_from :], table[:, 4] if self._objectness else None
        )
        with np.errstate(over="ignore", invalid="ignore"):
            centres = self._real(table[chosen.rows, :4]) * self._unit
            half = centres[:, 2:] / 2
            boxes: Floats = np.concatenate((centres[:, :2] - half, centres[:, :2] + half), axis=1)
        usable = np.isfinite(boxes).all(axis=1)
        return Candidates(
            boxes[usable],
            chosen.scores[usable],
            chosen.classes[usable],
            chosen.finite and bool(usable.all()),
        )


def _in_columns(
    config: DetectPostprocess, outputs: Sequence[TensorInfo], classes_from: int
) -> bool:
    """Whether a proposal is a column."""
    given = "; ".join(describe_output(output) for output in outputs[:4])
    shape = outputs[0].shape if len(outputs) == 1 else ()
    if len(shape) < 2 or any(length != 1 for length in shape[:-2]):
        raise ConfigError(
            f"postprocess.format yolo: needs one output [1, n, k], but the model's {given}: "
            "choose format tflite or ssd"
        )
    values = classes_from + len(config.labels) if config.labels else min(shape[-2:])
    if values <= classes_from or values not in shape[-2:]:
        raise ConfigError(
            f"postprocess.labels: {len(config.labels)} labels"
            f"{' with objectness' if config.objectness else ''} need {values} values a box, but "
            f"the model's {given}: give every label, and set objectness as the model has it"
        )
    return shape[-1] != values


def _picture_size(model_input: TensorInfo) -> tuple[int, int]:
    """Width and height of the model's input."""
    shape = model_input.shape[-3:]
    if len(shape) == 3 and shape[2] in (1, 3):
        return shape[1], shape[0]
    if len(shape) == 3 and shape[0] in (1, 3):
        return shape[2], shape[1]
    raise ConfigError(
        f"postprocess.coordinates: pixels need a picture as input, but '{model_input.name}' is "
        f"{list(model_input.shape)}: choose normalised"
    )
