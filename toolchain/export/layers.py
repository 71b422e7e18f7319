"""The parameters of a network, layer by layer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolchain.errors import ModelRefused
from toolchain.training import network as n
from toolchain.training.steps import Kind, Step, steps_of

Floats = NDArray[np.float32]
MAX_PARAMETER = 2.0**40


@dataclass(frozen=True)
class Layer:
    """One step of a network with what it learned.

    Attributes:
        padding: `same` or `valid`, where it has a window.
        weights: [outputs, height, width, inputs], depthwise [1, height, width, channels].
        bias: [outputs]. Both are empty where nothing is learned.
    """

    step: Step
    padding: str
    weights: Floats
    bias: Floats


def layers_of(network: n.Network, parameters: Floats) -> tuple[Layer, ...]:
    """Cut a vector in the order of `sv_params`.

    Raises:
        ModelRefused: layers do not fit together, or another number of parameters.
    """
    steps = steps_of(network)
    wanted = sum(step.parameters for step in steps)
    if parameters.shape != (wanted,):
        raise ModelRefused(f"network: it has {wanted} parameters, the vector {parameters.size}")
    if not (np.abs(parameters) <= MAX_PARAMETER).all():
        raise ModelRefused("parameters: one is not finite, or huge; the training has diverged")
    computing = [layer for layer in network.layers if not isinstance(layer, n.Flatten)]
    found, at = [], 0
    for step, layer in zip(steps, computing, strict=True):
        weights = parameters[at : at + step.weights].reshape(_shape(step))
        bias = parameters[at + step.weights : at + step.parameters]
        at += step.parameters
        found.append(Layer(step, getattr(layer, "padding", "valid"), weights, bias))
    return tuple(found)


def _shape(step: Step) -> tuple[int, ...]:
    if step.is_linear:
        return (step.output[2], *step.kernel, step.input[2])
    return (1, *step.kernel, step.output[2]) if step.kind is Kind.DEPTHWISE else (0,)
