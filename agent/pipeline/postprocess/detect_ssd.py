"""Raw SSD heads: offsets from anchors, and class scores."""

from collections.abc import Sequence
from math import log

import numpy as np

from agent.config.processing import DetectPostprocess
from agent.errors import ConfigError
from agent.pipeline.postprocess.candidates import Candidates, ClassScores
from agent.pipeline.postprocess.dequantize import Dequantizer, describe_output, elements
from agent.pipeline.sample import Floats, Tensor
from agent.runtime.protocol import TensorInfo

_MAX_GROWTH = log(1000)
"""A box a thousand times its anchor's size is beyond any picture; exp must not overflow."""


class SsdHead:
    """Boxes [1, n, 4] as y, x, height, width relative to anchors; scores [1, n, classes].

    One score more than labels: the first is the background, and is left out.
    """

    def __init__(
        self,
        config: DetectPostprocess,
        outputs: Sequence[TensorInfo],
        anchors: Floats | None,
    ) -> None:
        """Tell boxes and scores apart.

        Args:
            config: format and activation.
            outputs: of the model.
            anchors: [n, 4] as centre y, x, height, width in parts of the input.

        Raises:
            ConfigError: anchors, outputs and labels do not fit each other.
        """
        self._anchors = _checked(anchors)
        count = len(self._anchors)
        self._box, self._score = _boxes_and_scores(outputs, count)
        classes = elements(outputs[self._score]) // count
        self._background = int(bool(config.labels) and classes == len(config.labels) + 1)
        if config.labels and classes - self._background != len(config.labels):
            raise ConfigError(
                f"postprocess.labels: {len(config.labels)} labels, but the model's "
                f"{describe_output(outputs[self._score])}: give one for each class, with or "
                "without the background"
            )
        self._classes = classes
        self._divisors = np.array(config.box_scale, np.float32)
        self._real_boxes = Dequantizer(outputs[self._box]).real
        self._scores = ClassScores(
            Dequantizer(outputs[self._score]),
            config.activation,
            config.threshold,
            skip=self._background,
        )

    def candidates(self, outputs: list[Tensor]) -> Candidates:
        """Return the boxes whose score reaches the threshold."""
        chosen = self._scores.choose(outputs[self._score].reshape(-1, self._classes))
        encoded = outputs[self._box].reshape(-1, 4)[chosen.rows]
        anchors = self._anchors[chosen.rows]
        with np.errstate(over="ignore", invalid="ignore"):
            offsets = self._real_boxes(encoded) / self._divisors
            centre = anchors[:, :2] + offsets[:, :2] * anchors[:, 2:]
            half = np.exp(np.minimum(offsets[:, 2:], _MAX_GROWTH)) * anchors[:, 2:] / 2
            corners = np.concatenate((centre - half, centre + half), axis=1)
        usable = np.isfinite(corners).all(axis=1)
        return Candidates(
            corners[usable][:, [1, 0, 3, 2]],
            chosen.scores[usable],
            chosen.classes[usable],
            chosen.finite and bool(usable.all()),
        )


def _checked(anchors: Floats | None) -> Floats:
    if anchors is None:
        raise ConfigError(
            "postprocess.anchors: format ssd needs them: give the .npy file of [n, 4] that "
            "belongs to the model"
        )
    form = (
        f"{anchors.dtype} {list(anchors.shape)}" if isinstance(anchors, np.ndarray) else "several"
    )
    if form == "several" or anchors.ndim != 2 or anchors.shape[1] != 4 or anchors.dtype.kind != "f":
        raise ConfigError(
            f"postprocess.anchors: are {form}: give one array of floats [n, 4] as y, x, height, "
            "width"
        )
    if not np.isfinite(anchors).all() or not (anchors[:, 2:] > 0).all():
        raise ConfigError(
            "postprocess.anchors: hold NaN, infinity or an empty box: give those of the model"
        )
    return anchors.astype(np.float32)


def _boxes_and_scores(outputs: Sequence[TensorInfo], anchors: int) -> tuple[int, int]:
    """Positions of boxes and scores."""
    boxes = [
        position
        for position, output in enumerate(outputs)
        if output.shape[-1:] == (4,) and elements(output) == 4 * anchors
    ]
    if len(boxes) == 2:
        named = [position for position in boxes if "box" in outputs[position].name.lower()]
        boxes = named if len(named) == 1 else boxes[:1]
    given = "; ".join(describe_output(output) for output in outputs[:4])
    if len(outputs) != 2 or len(boxes) != 1 or not anchors:
        raise ConfigError(
            f"postprocess.format ssd: {anchors} anchors need boxes [1, {anchors}, 4] and scores "
            f"[1, {anchors}, classes], but the model's {given}: give the model's own anchors, or "
            "another format"
        )
    scores = 1 - boxes[0]
    if outputs[scores].shape[-2:-1] != (anchors,):
        raise ConfigError(
            f"postprocess.format ssd: the model's {describe_output(outputs[scores])} has no scores "
            f"for {anchors} anchors: give the model's own anchors, or another format"
        )
    return boxes[0], scores
