"""The digits network as training modules and exports know it, and as an int8 .tflite."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolchain.digits.network import Network, normalize
from toolchain.export import quantize as export
from toolchain.export.calibration import UNIT
from toolchain.export.layers import Floats
from toolchain.training.network import read_network

NETWORK: dict[str, Any] = {
    "input": [8, 8, 1],
    "layers": [
        {"kind": "conv2d", "filters": 16, "kernel": 3, "activation": "relu"},
        {"kind": "max_pool2d"},
        {"kind": "conv2d", "filters": 32, "kernel": 3, "activation": "relu"},
        {"kind": "max_pool2d"},
        {"kind": "dense", "units": 10},
    ],
    "loss": "cross_entropy",
    "batch": 32,
}
"""The same layers, in the same order, as `Network`."""


def vector(network: Network) -> Floats:
    """All parameters, float32, in the order of a trainer."""
    return np.concatenate([each.ravel() for each in network.parameters()]).astype(np.float32)


def quantize(network: Network, calibration: NDArray[np.uint8]) -> bytes:
    """Quantize after training and write a .tflite whose every tensor is integer.

    Args:
        network: the parameters in float32.
        calibration: uint8 [n, 8, 8, 1] training images; their activations set the ranges.

    Returns:
        The file: int8 [1, 8, 8, 1] in, int8 [1, 10] probabilities out. A uint8 pixel p stands for
        p/255, and is the int8 value p − 128.
    """
    trained = export.Trained(read_network(NETWORK), vector(network), scale=UNIT)
    return export.quantize(trained, normalize(calibration)).model
