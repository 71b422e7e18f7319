"""MobileNetV2 (Sandler et al. 2018, table 2) in float32: real structure, random weights.

Weights are drawn from a seed; each layer is then scaled so that its sums have mean 0 and variance 1
over a few calibration pictures, as folded batch normalization would, so that activations neither
die nor saturate and quantization has something to do.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float32]
CLASSES = 10
PICTURES = 16
# expansion, channels, repetitions, stride of the first
BLOCKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


@dataclass(slots=True)
class Node:
    """One step of the network; node 0 is the input.

    Attributes:
        kind: the schema's name of the operator, or INPUT.
        inputs: numbers of the nodes whose values it reads.
        shape: of its value, without the batch.
        weights: [out, height, width, in]; depthwise [channels, height, width, 1]; dense [out, in].
        low, high: the range of its value over the calibration pictures.
    """

    kind: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    weights: Array | None = None
    bias: Array | None = None
    stride: int = 1
    relu6: bool = False
    low: float = 0.0
    high: float = 0.0


def channels(count: int, width: float) -> int:
    """Scale a channel count to a multiple of 8, never below nine tenths of it."""
    scaled = max(8, int(count * width + 4) // 8 * 8)
    return scaled + 8 if scaled < 0.9 * count * width else scaled


def build(width: float, size: int, seed: int = 0) -> list[Node]:
    """Draw the network in float32, each node with the range that calibration saw."""
    network = _Builder(pictures(size, seed), np.random.default_rng(seed))
    network.convolve(channels(32, width), kernel=3, stride=2)
    for expansion, count, repetitions, stride in BLOCKS:
        for number in range(repetitions):
            network.block(expansion, channels(count, width), 1 if number else stride)
    network.convolve(max(1280, channels(1280, width)))
    network.mean()
    network.dense(CLASSES)
    network.softmax()
    return network.nodes


def pictures(size: int, seed: int) -> Array:
    """Draw float32 [n, size, size, 3] in −1…1: noise, and blobs as large as an eighth."""
    rng = np.random.default_rng(seed + 1)
    noise = rng.uniform(-1, 1, (PICTURES // 2, size, size, 3))
    coarse = rng.uniform(-1, 1, (PICTURES // 2, 8, 8, 3))
    steps = np.arange(size) * 8 // size
    return np.concatenate([noise, coarse[:, steps][:, :, steps]]).astype(np.float32)


@dataclass
class _Builder:
    """Appends nodes and computes them at once; `value` is what the last one gives."""

    value: Array
    rng: np.random.Generator

    def __post_init__(self) -> None:
        self.nodes: list[Node] = []
        self._append(Node("INPUT", (), self.value.shape[1:]))

    def block(self, expansion: int, count: int, stride: int) -> None:
        """Append an inverted residual with a linear bottleneck."""
        entry, entry_value = len(self.nodes) - 1, self.value
        if expansion > 1:
            self.convolve(expansion * self.value.shape[-1])
        self.depthwise(stride)
        self.convolve(count, linear=True)
        if stride == 1 and entry_value.shape == self.value.shape:
            self.value = self.value + entry_value
            self._append(Node("ADD", (entry, len(self.nodes) - 1), self.value.shape[1:]))

    def convolve(
        self, count: int, *, kernel: int = 1, stride: int = 1, linear: bool = False
    ) -> None:
        """Append a convolution, with RELU6 unless linear."""
        depth = self.value.shape[-1]
        weights = self._draw(count, kernel, kernel, depth)
        windows = same_windows(self.value, kernel, stride)
        sums = windows.reshape(*windows.shape[:3], -1) @ weights.reshape(count, -1).T
        self._layer("CONV_2D", weights, sums, stride, relu6=not linear)

    def depthwise(self, stride: int) -> None:
        """Append a 3×3 depthwise convolution with RELU6; weights [channels, 3, 3, 1]."""
        weights = self._draw(self.value.shape[-1], 3, 3, 1)
        windows = same_windows(self.value, 3, stride)
        sums = sum(windows[:, :, :, y, x] * weights[:, y, x, 0] for y in range(3) for x in range(3))
        self._layer("DEPTHWISE_CONV_2D", weights, np.asarray(sums), stride, relu6=True)

    def mean(self) -> None:
        """Append the mean over height and width."""
        self.value = self.value.mean(axis=(1, 2))
        self._append(Node("MEAN", (len(self.nodes) - 1,), self.value.shape[1:]))

    def dense(self, units: int) -> None:
        """Append a fully connected layer."""
        weights = self._draw(units, self.value.shape[-1])
        self._layer("FULLY_CONNECTED", weights, self.value @ weights.T, 1, relu6=False)

    def softmax(self) -> None:
        """Append the softmax; its range is known."""
        self._append(Node("SOFTMAX", (len(self.nodes) - 1,), self.value.shape[1:]))

    def _draw(self, *shape: int) -> Array:
        return self.rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)

    def _layer(self, kind: str, weights: Array, sums: Array, stride: int, *, relu6: bool) -> None:
        axes = tuple(range(sums.ndim - 1))
        deviation = sums.std(axis=axes) + np.float32(1e-3)
        bias = -sums.mean(axis=axes) / deviation
        weights = weights / deviation.reshape(-1, *(1,) * (weights.ndim - 1))
        value = sums / deviation + bias
        self.value = value.clip(0, 6) if relu6 else value
        before = (len(self.nodes) - 1,)
        self._append(Node(kind, before, self.value.shape[1:], weights, bias, stride, relu6))

    def _append(self, node: Node) -> None:
        node.low, node.high = float(self.value.min()), float(self.value.max())
        self.nodes.append(node)


def same_windows(value: Array, kernel: int, stride: int) -> Array:
    """View [n, rows, columns, kernel, kernel, channels] under padding SAME."""
    _, height, width, _ = value.shape
    before_after = [(0, 0), _same(height, kernel, stride), _same(width, kernel, stride), (0, 0)]
    windows = sliding_window_view(np.pad(value, before_after), (kernel, kernel), axis=(1, 2))
    return windows[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3)


def _same(length: int, kernel: int, stride: int) -> tuple[int, int]:
    total = max(0, (-(-length // stride) - 1) * stride + kernel - length)
    return total // 2, total - total // 2
