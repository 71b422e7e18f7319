"""Boxes with labels."""

from collections.abc import Sequence

import numpy as np

from agent.config.processing import DetectPostprocess
from agent.pipeline.postprocess.bounds import check_size
from agent.pipeline.postprocess.candidates import Candidates, Head
from agent.pipeline.postprocess.dequantize import Tree
from agent.pipeline.postprocess.detect_ssd import SsdHead
from agent.pipeline.postprocess.detect_tflite import TfliteHead
from agent.pipeline.postprocess.detect_yolo import YoloHead
from agent.pipeline.postprocess.nms import suppress
from agent.pipeline.postprocess.scores import DIGITS
from agent.pipeline.sample import Floats, Tensor
from agent.runtime.protocol import TensorInfo

_FAR = 100.0
"""How far beyond the input, in its sizes, a box is believed to reach: areas must not overflow."""


class DetectPostprocessor:
    """Proposals above the threshold, without the weaker of overlapping ones, cut to the input."""

    needs_input = False

    def __init__(
        self,
        config: DetectPostprocess,
        outputs: Sequence[TensorInfo],
        model_input: TensorInfo,
        anchors: Floats | None,
    ) -> None:
        """Prepare for the outputs of a detector.

        Raises:
            ConfigError: the outputs are not of the format, or results could grow too long.
        """
        self._labels = config.labels
        self._iou = config.iou
        self._limit = config.limit
        self._only_present = config.report == "present"
        check_size(
            self._labels or ("0000000",), config.limit, 95, "lower limit or shorten the labels"
        )
        self._head = _head(config, outputs, model_input, anchors)
        self._suppresses = config.format != "tflite"

    def result(self, outputs: Sequence[Tensor], model_input: Tensor | None) -> Tree | None:
        """Return the boxes, or None when there are none and only present ones are reported."""
        found = self._head.candidates(list(outputs))
        boxes, scores, classes = self._strongest(found)
        if self._only_present and not len(scores) and found.finite:
            return None
        tree: Tree = {
            "task": "detect",
            "boxes": [
                {
                    "label": self._label(index),
                    "index": index,
                    "score": round(score, DIGITS),
                    "box": [round(edge, DIGITS) for edge in box],
                }
                for box, score, index in zip(
                    boxes.tolist(), scores.tolist(), classes.tolist(), strict=True
                )
            ],
        }
        return tree if found.finite else {**tree, "finite": False}

    def _strongest(self, found: Candidates) -> tuple[Floats, Floats, Tensor]:
        visible = np.clip(found.boxes, 0, 1)
        inside = np.flatnonzero((visible[:, 2:] > visible[:, :2]).all(axis=1))
        scores, classes = found.scores[inside], found.classes[inside]
        if self._suppresses:
            boxes = np.clip(found.boxes[inside], -_FAR, _FAR)
            stay = suppress(boxes, scores, classes, self._iou, self._limit)
        else:
            stay = np.argsort(-scores, kind="stable")[: self._limit]
        return visible[inside[stay]], scores[stay], classes[stay]

    def _label(self, index: int) -> str:
        return self._labels[index] if 0 <= index < len(self._labels) else str(index)


def _head(
    config: DetectPostprocess,
    outputs: Sequence[TensorInfo],
    model_input: TensorInfo,
    anchors: Floats | None,
) -> Head:
    if config.format == "tflite":
        return TfliteHead(config, outputs)
    if config.format == "yolo":
        return YoloHead(config, outputs, model_input)
    return SsdHead(config, outputs, anchors)
