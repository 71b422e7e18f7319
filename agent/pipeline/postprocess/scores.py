"""The scores of a classifier, computed only where somebody looks."""

from math import exp
from typing import Literal, Protocol

import numpy as np

from agent.pipeline.postprocess.dequantize import Dequantizer, elements
from agent.pipeline.sample import Floats, Tensor
from agent.runtime.protocol import TensorInfo

Activation = Literal["none", "softmax", "sigmoid"]

DIGITS = 4
"""Scores are rounded to this many decimals, and compared as they are reported."""

_FEW = 64


Ranking = tuple[list[int], list[float], float]
"""The best classes, best first, equal ones in the order of their index; their scores; the watched
class's score."""


class Scores(Protocol):
    """Reads the scores of one output."""

    def rank(self, stored: Tensor, count: int, watch: int) -> Ranking | None:
        """Return the best `count` classes and the score of class `watch`.

        None when NaN or infinity is among the values.
        """


def build_scores(tensor: TensorInfo, activation: Activation) -> Scores:
    """Choose how scores of `tensor` are read.

    Raises:
        ConfigError: its type is none that a result can be read from.
    """
    dequantizer = Dequantizer(tensor)
    if tensor.dtype in ("int8", "uint8") and elements(tensor) <= _FEW:
        return FewByteScores(tensor.dtype, dequantizer, activation)
    return ArrayScores(dequantizer, activation)


class FewByteScores:
    """A few 8-bit values: order them as they are stored, look the scores up in tables.

    Tables are indexed by the stored value; Python's negative indices serve int8.
    """

    def __init__(self, dtype: str, dequantizer: Dequantizer, activation: Activation) -> None:
        stored = range(256) if dtype == "uint8" else [*range(128), *range(-128, 0)]
        real = [dequantizer.one(value) for value in stored]
        step = dequantizer.one(1) - dequantizer.one(0)
        self._below_best = [exp(-step * distance) for distance in range(256)]
        self._softmax = activation == "softmax"
        if activation == "sigmoid":
            real = [_sigmoid(value) for value in real]
        self._table = [_rounded(value) for value in real]

    def rank(self, stored: Tensor, count: int, watch: int) -> Ranking:
        """Return the best `count` classes and the score of class `watch`."""
        values: list[int] = stored.reshape(-1).tolist()
        best = max(values)
        if count == 1:
            indices = [values.index(best)]
        else:
            indices = sorted(range(len(values)), key=values.__getitem__, reverse=True)[:count]
        if self._softmax:
            below = self._below_best
            total = sum([below[best - value] for value in values])
            scores = [round(below[best - values[index]] / total, DIGITS) for index in indices]
            return indices, scores, round(below[best - values[watch]] / total, DIGITS)
        table = self._table
        return indices, [table[values[index]] for index in indices], table[values[watch]]


class ArrayScores:
    """Many values, or wide ones: order them as they are stored, dequantize the best."""

    def __init__(self, dequantizer: Dequantizer, activation: Activation) -> None:
        self._dequantizer = dequantizer
        self._activation = activation

    def rank(self, stored: Tensor, count: int, watch: int) -> Ranking | None:
        """Return the best `count` classes and the score of class `watch`."""
        flat = stored.reshape(-1)
        if self._dequantizer.is_float and not np.isfinite(flat).all():
            return None
        if count == 1:
            order = [int(flat.argmax())]
        else:
            # Backwards twice: of equal values the one with the lower index comes first.
            order = (len(flat) - 1 - np.argsort(flat[::-1], kind="stable")[::-1][:count]).tolist()
        real = self._dequantizer.real(flat[[*order, watch]])
        if self._activation == "softmax":
            with np.errstate(over="ignore"):
                scores = np.exp(real - real[0])
                scores /= np.exp(self._dequantizer.real(flat) - real[0]).sum()
        else:
            scores = sigmoid(real) if self._activation == "sigmoid" else real
        *best, watched = [_rounded(score) for score in scores.tolist()]
        return order, best, watched


def softmax(real: Floats) -> Floats:
    """Exponentials that sum to one along the last axis."""
    with np.errstate(over="ignore"):
        powers: Floats = np.exp(real - real.max(axis=-1, keepdims=True))
    powers /= powers.sum(axis=-1, keepdims=True)
    return powers


def sigmoid(real: Floats) -> Floats:
    """1/(1 + e^-real)."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-real)), np.float32)


def _sigmoid(value: float) -> float:
    return 1 / (1 + exp(-value)) if value > -700 else 0.0


def _rounded(score: float) -> float:
    """Round a score; no negative zero, which reads oddly."""
    return round(score, DIGITS) + 0.0
