"""The network in float32: two 3×3 convolutions with pooling, one dense layer; forward only.

This is the reference that the quantized model is held against.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from toolchain.digits.dataset import CLASSES

Array = NDArray[np.float32]
CONV1_CHANNELS = 16
CONV2_CHANNELS = 32
DENSE_INPUTS = 2 * 2 * CONV2_CHANNELS


@dataclass(frozen=True)
class Network:
    """Parameters; convolutions are [out, 3, 3, in], the dense layer [out, in], as in TFLite."""

    conv1: Array
    bias1: Array
    conv2: Array
    bias2: Array
    dense: Array
    bias3: Array

    def parameters(self) -> tuple[Array, ...]:
        """All parameters, in the order of the fields."""
        return (self.conv1, self.bias1, self.conv2, self.bias2, self.dense, self.bias3)


@dataclass(frozen=True)
class Activations:
    """What every layer gives out, channels last; logits are [n, 10] before the softmax."""

    inputs: Array
    conv1: Array
    pool1: Array
    conv2: Array
    pool2: Array
    logits: Array


def initial(rng: np.random.Generator) -> Network:
    """Draw parameters by He et al. 2015 (variance 2 / fan-in); biases are 0."""

    def draw(*shape: int) -> Array:
        fan_in = int(np.prod(shape[1:]))
        return rng.normal(0, np.sqrt(2 / fan_in), shape).astype(np.float32)

    def zeros(count: int) -> Array:
        return np.zeros(count, np.float32)

    return Network(
        draw(CONV1_CHANNELS, 3, 3, 1),
        zeros(CONV1_CHANNELS),
        draw(CONV2_CHANNELS, 3, 3, CONV1_CHANNELS),
        zeros(CONV2_CHANNELS),
        draw(CLASSES, DENSE_INPUTS),
        zeros(CLASSES),
    )


def normalize(images: NDArray[np.uint8]) -> Array:
    """Map pixels 0…255 to 0…1."""
    return (images / np.float32(255)).astype(np.float32)


def forward(network: Network, inputs: Array) -> Activations:
    """Run the network on float32 [n, 8, 8, 1]."""
    conv1 = np.maximum(convolve(inputs, network.conv1) + network.bias1, 0)
    pool1 = blocks(conv1).max(axis=(2, 4))
    conv2 = np.maximum(convolve(pool1, network.conv2) + network.bias2, 0)
    pool2 = blocks(conv2).max(axis=(2, 4))
    logits = pool2.reshape(len(inputs), -1) @ network.dense.T + network.bias3
    return Activations(inputs, conv1, pool1, conv2, pool2, logits)


def accuracy(network: Network, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
    """Share of images whose largest logit is the label."""
    logits = forward(network, normalize(images)).logits
    return float((logits.argmax(axis=1) == labels).mean())


def convolve(image: Array, weights: Array) -> Array:
    """Convolve with stride 1 and zeros around the border (padding SAME)."""
    n, height, width, _ = image.shape
    flat = patches(image) @ weights.reshape(len(weights), -1).T
    return flat.reshape(n, height, width, len(weights))


def patches(image: Array) -> Array:
    """Lay out the 3×3 neighbourhoods as rows: [n·height·width, 3·3·channels]."""
    n, height, width, channels = image.shape
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = sliding_window_view(padded, (3, 3), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)
    return windows.reshape(n * height * width, 9 * channels)


def blocks(image: Array) -> Array:
    """View the 2×2 pooling blocks: [n, height/2, 2, width/2, 2, channels]."""
    n, height, width, channels = image.shape
    return image.reshape(n, height // 2, 2, width // 2, 2, channels)
