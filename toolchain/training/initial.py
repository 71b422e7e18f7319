"""Parameters to begin with."""

import math

import numpy as np
from numpy.typing import NDArray

from toolchain.training.network import Network
from toolchain.training.steps import Step, steps_of

_FRACTION_BITS = 24


def initial_parameters(network: Network, seed: int) -> NDArray[np.float32]:
    """Draw weights; biases are 0. Equal seeds give equal bytes everywhere.

    Uniform, with the limits of He et al. 2015 before a ReLU, sqrt(6 / fan_in), and of Glorot and
    Bengio 2010 otherwise, sqrt(6 / (fan_in + fan_out)).

    Args:
        network: what the parameters are for.
        seed: any number of up to 64 bits.

    Returns:
        All parameters, float32, in the order of `sv_params`: for each layer its weights
        [outputs, height, width, inputs] (depthwise: [height, width, channels]), then its biases.

    Raises:
        ModelRefused: layers do not fit together.
    """
    source = np.random.PCG64(seed)
    pieces = [_layer(step, source) for step in steps_of(network) if step.has_weights]
    return np.concatenate(pieces)


def _layer(step: Step, source: np.random.PCG64) -> NDArray[np.float32]:
    fans = step.fan_in if step.activation else step.fan_in + step.fan_out
    limit = np.float32(math.sqrt(6 / fans))
    # The raw stream is part of the generator's definition; numpy's distributions may change.
    raw = source.random_raw(step.weights) >> np.uint64(64 - _FRACTION_BITS)
    unit = raw.astype(np.float32) / np.float32(1 << (_FRACTION_BITS - 1)) - np.float32(1)
    return np.concatenate([unit * limit, np.zeros(step.output[2], np.float32)])
