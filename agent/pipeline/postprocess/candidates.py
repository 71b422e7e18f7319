"""Boxes that a detector proposes, before the weaker of overlapping ones go."""

from dataclasses import dataclass
from math import log
from typing import Protocol

import numpy as np

from agent.pipeline.postprocess.dequantize import Dequantizer, Indices, Mask
from agent.pipeline.postprocess.scores import Activation, sigmoid, softmax
from agent.pipeline.sample import Floats, Tensor

MAX_CANDIDATES = 512
"""More than this many proposals above the threshold are cut to the strongest."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Proposed boxes.

    Attributes:
        boxes: [n, 4] as x0, y0, x1, y1 in parts of the model's input; may reach beyond it.
        scores: [n].
        classes: [n].
        finite: False when NaN or infinity was met; such boxes are left out.
    """

    boxes: Floats
    scores: Floats
    classes: Indices
    finite: bool


class Head(Protocol):
    """Reads one format of detector outputs."""

    def candidates(self, outputs: list[Tensor]) -> Candidates:
        """Return the boxes whose score reaches the threshold."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rows of a score table that reach the threshold, with their best class and its score."""

    rows: Indices
    classes: Indices
    scores: Floats
    finite: bool


class ClassScores:
    """Finds the rows of [n, classes] whose best class reaches a threshold.

    Values are compared as they are stored; only rows that may pass are dequantized.
    """

    def __init__(
        self, dequantizer: Dequantizer, activation: Activation, threshold: float, *, skip: int = 0
    ) -> None:
        """Prepare the threshold; the first `skip` columns belong to no class."""
        self._dequantizer = dequantizer
        self._skip = skip
        self._activation = activation
        self._threshold = threshold
        self._may_pass = dequantizer.stored(_least_real(activation, threshold))

    def choose(self, stored: Tensor, objectness: Tensor | None = None) -> Chosen:
        """Return what passes.

        Args:
            stored: [n, classes].
            objectness: [n], stored alike; scores are multiplied by it.
        """
        best: Tensor
        may_pass: float
        if self._activation == "softmax":
            with np.errstate(invalid="ignore"):
                table = softmax(self._dequantizer.real(stored))[:, self._skip :]
            best, may_pass = table.max(axis=1), self._threshold
        else:
            table, may_pass = stored[:, self._skip :], self._may_pass
            best = table.max(axis=1)
        passing: Mask = best >= may_pass
        finite = True
        if self._dequantizer.is_float:
            usable = np.isfinite(best)
            if objectness is not None:
                usable &= np.isfinite(objectness)
            finite = bool(usable.all())
            passing &= usable
        if objectness is not None:
            passing &= objectness >= self._may_pass
        rows = np.flatnonzero(passing)
        scores = self._real_scores(best[rows])
        if objectness is not None:
            scores = scores * self._one_by_one(objectness[rows])
        rows, scores = _strongest(rows, scores, self._threshold)
        return Chosen(rows, table[rows].argmax(axis=1), scores, finite)

    def _real_scores(self, best: Tensor) -> Floats:
        return best if self._activation == "softmax" else self._one_by_one(best)

    def _one_by_one(self, stored: Tensor) -> Floats:
        real = self._dequantizer.real(stored)
        return sigmoid(real) if self._activation == "sigmoid" else real


def _strongest(rows: Indices, scores: Floats, threshold: float) -> tuple[Indices, Floats]:
    keep = np.flatnonzero(scores >= threshold)
    if len(keep) > MAX_CANDIDATES:
        keep = keep[np.argsort(-scores[keep], kind="stable")[:MAX_CANDIDATES]]
    return rows[keep], scores[keep]


def _least_real(activation: Activation, threshold: float) -> float:
    """A real value that is surely not above the least one that passes."""
    if activation != "sigmoid":
        return threshold - 1e-4
    odds = max(threshold, 1e-9) / max(1 - threshold, 1e-6)
    return log(odds) - 1e-3
