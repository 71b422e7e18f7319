"""Detectors that end in TFLite's own operator, TFLite_Detection_PostProcess."""

from collections.abc import Sequence

import numpy as np

from agent.config.processing import DetectPostprocess
from agent.errors import ConfigError
from agent.pipeline.postprocess.candidates import Candidates
from agent.pipeline.postprocess.dequantize import Dequantizer, describe_output, elements
from agent.pipeline.sample import Tensor
from agent.runtime.protocol import TensorInfo


class TfliteHead:
    """Boxes [1, n, 4] as y0, x0, y1, x1, classes [1, n], scores [1, n] and their count [1]."""

    def __init__(self, config: DetectPostprocess, outputs: Sequence[TensorInfo]) -> None:
        """Tell the four outputs apart.

        Raises:
            ConfigError: they are not those of the operator.
        """
        self._order = _order(outputs)
        self._read = [Dequantizer(outputs[position]).real for position in self._order]
        self._threshold = config.threshold

    def candidates(self, outputs: list[Tensor]) -> Candidates:
        """Return the boxes whose score reaches the threshold."""
        boxes, classes, scores, count = (
            read(outputs[position].reshape(-1))
            for read, position in zip(self._read, self._order, strict=True)
        )
        given = float(count[0])
        rows = min(max(int(given), 0), len(scores)) if np.isfinite(given) else 0
        boxes, classes, scores = boxes.reshape(-1, 4)[:rows], classes[:rows], scores[:rows]
        usable = np.isfinite(boxes).all(axis=1) & np.isfinite(scores) & (np.abs(classes) < 1e6)
        keep = usable & (scores >= self._threshold)
        return Candidates(
            boxes[keep][:, [1, 0, 3, 2]],
            scores[keep],
            np.rint(classes[keep]).astype(np.intp),
            bool(usable.all()) and bool(np.isfinite(given)),
        )


def _order(outputs: Sequence[TensorInfo]) -> list[int]:
    """Positions of boxes, classes, scores and count."""
    positions = list(range(len(outputs)))
    boxes = [i for i in positions if len(outputs[i].shape) >= 2 and outputs[i].shape[-1] == 4]
    if len(outputs) != 4 or not boxes:
        raise _not_the_operator(outputs)
    # Four detections give classes and scores a last dimension of four, too.
    box = max(boxes, key=lambda position: elements(outputs[position]))
    found = elements(outputs[box]) // 4
    positions.remove(box)
    counts = [i for i in positions if elements(outputs[i]) == 1]
    if not counts:
        raise _not_the_operator(outputs)
    count = min(counts, key=lambda position: len(outputs[position].shape))
    positions.remove(count)
    if any(elements(outputs[position]) != found for position in positions):
        raise _not_the_operator(outputs)
    first, second = positions
    if _scores_come_first(outputs, first, second, box):
        first, second = second, first
    return [box, first, second, count]


def _scores_come_first(outputs: Sequence[TensorInfo], first: int, second: int, box: int) -> bool:
    """Whether of two outputs of one shape the first has the scores.

    By a name that says so; else by the number at its end, where the operator's own names count
    classes before scores and those of TensorFlow 2's exporter scores before classes; else by the
    operator's order if the boxes come first, and the exporter's if not.
    """
    names = [outputs[position].name.lower() for position in (first, second)]
    for word, at_first in (("score", True), ("class", False)):
        said = [word in name for name in names]
        if said[0] != said[1]:
            return said[0] == at_first
    numbers = [name.rpartition(":")[2] for name in names]
    if all(number.isdigit() for number in numbers):
        lower_first = int(numbers[0]) < int(numbers[1])
        exporter = "statefulpartitionedcall" in names[0]
        return lower_first == exporter
    return box > first


def _not_the_operator(outputs: Sequence[TensorInfo]) -> ConfigError:
    given = "; ".join(describe_output(output) for output in outputs[:4])
    return ConfigError(
        "postprocess.format tflite: needs boxes [1, n, 4], classes [1, n], scores [1, n] and "
        f"count [1], but the model's {given}: choose format yolo or ssd"
    )
