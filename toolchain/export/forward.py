"""A network in float32: what every layer gives out, which is what ranges are taken from."""

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from toolchain.export.layers import Floats, Layer
from toolchain.training.steps import Kind, Step

BATCH = 64


def outputs(layers: Sequence[Layer], examples: Floats) -> list[Floats]:
    """The outputs of each layer, [n, height, width, channels].

    Args:
        layers: as `layers_of` gives them.
        examples: [n, …] of as many numbers as the first layer takes.
    """
    now = examples.reshape(-1, *layers[0].step.input)
    found = []
    for layer in layers:
        now = _activated(layer.step, _run(layer, now))
        found.append(now)
    return found


def ranges(layers: Sequence[Layer], examples: Floats) -> tuple[list[tuple[float, float]], Floats]:
    """Least and greatest output of each layer, and the last one's outputs, [n, outputs]."""
    seen: list[list[tuple[float, float]]] = []
    last: list[Floats] = []
    for start in range(0, len(examples), BATCH):
        with np.errstate(over="ignore", invalid="ignore"):
            part = outputs(layers, examples[start : start + BATCH])
        seen.append([(float(one.min()), float(one.max())) for one in part])
        last.append(part[-1].reshape(len(part[-1]), -1))
    bounds = [
        (min(low for low, _ in one), max(high for _, high in one))
        for one in zip(*seen, strict=True)
    ]
    return bounds, np.concatenate(last)


def _run(layer: Layer, image: Floats) -> Floats:
    step = layer.step
    if step.is_linear and step.kernel == step.input[:2] and step.output[:2] == (1, 1):
        flat = image.reshape(len(image), -1) @ layer.weights.reshape(len(layer.weights), -1).T
        return (flat + layer.bias).reshape(-1, *step.output)
    windows = _windows(step, image)
    match step.kind:
        case Kind.LINEAR:
            # [n, y, x, inputs, ky, kx] · [outputs, ky, kx, inputs]
            sums: Floats = np.tensordot(windows, layer.weights, ((3, 4, 5), (3, 1, 2)))
            return sums + layer.bias
        case Kind.DEPTHWISE:
            each: Floats = np.einsum("nyxcij,ijc->nyxc", windows, layer.weights[0])
            return each + layer.bias
        case Kind.MAX_POOL:
            most: Floats = windows.max(axis=(4, 5))
            return most
    inside = _windows(step, np.ones_like(image[:1]))
    mean: Floats = windows.sum(axis=(4, 5)) / inside.sum(axis=(4, 5))
    return mean


def _windows(step: Step, image: Floats) -> Floats:
    """What each output sees: [n, y, x, channels, kernel height, kernel width]."""
    border = [(0, 0)]
    for length, count, taps, stride, pad in zip(
        step.input[:2], step.output[:2], step.kernel, step.stride, step.pad, strict=True
    ):
        border.append((pad, max(0, (count - 1) * stride + taps - length - pad)))
    fill = -np.inf if step.kind is Kind.MAX_POOL else 0.0
    padded = np.pad(image, (*border, (0, 0)), constant_values=np.float32(fill))
    windows = sliding_window_view(padded, step.kernel, axis=(1, 2))
    down, across = step.stride
    seen: Floats = windows[:, ::down, ::across][:, : step.output[0], : step.output[1]]
    return seen


def _activated(step: Step, values: Floats) -> Floats:
    if not step.activation:
        return values.astype(np.float32)
    return np.clip(values, 0, 6 if step.activation == 2 else None).astype(np.float32)
