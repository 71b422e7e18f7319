"""The trained network as a static int8 model: constants, calibrated activations, operators."""

import numpy as np
from numpy.typing import NDArray

from toolchain import quantization
from toolchain.digits.dataset import CLASSES, IMAGE_SHAPE
from toolchain.digits.network import (
    CONV1_CHANNELS,
    CONV2_CHANNELS,
    DENSE_INPUTS,
    Array,
    Network,
    forward,
    normalize,
)
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Operator, Quantization, Signature, Tensor
from toolchain.tflite.options import Conv2D, FullyConnected, Pool2D, Reshape, Softmax
from toolchain.tflite.slots import Activation, Padding
from toolchain.tflite.writer import write

PIXEL = Quantization((float(np.float32(1 / 255)),), (-128,))
"""A uint8 pixel p stands for p/255, and is the int8 value p − 128."""
_POOL = Pool2D(Padding.VALID, stride_w=2, stride_h=2, filter_w=2, filter_h=2)
_CONV = Conv2D(Padding.SAME, stride_w=1, stride_h=1, activation=Activation.RELU)


def quantize(network: Network, calibration: NDArray[np.uint8]) -> bytes:
    """Quantize after training and write a .tflite whose every tensor is integer.

    Args:
        network: the parameters in float32.
        calibration: uint8 [n, 8, 8, 1] training images; their activations set the ranges.

    Returns:
        The file: int8 [1, 8, 8, 1] in, int8 [1, 10] probabilities out.
    """
    return write(_model(network, calibration))


def _model(network: Network, calibration: NDArray[np.uint8]) -> Model:
    seen = forward(network, normalize(calibration))
    conv1, conv2, logits = map(quantization.activation, (seen.conv1, seen.conv2, seen.logits))
    tensors = (
        _activation("image", IMAGE_SHAPE, PIXEL),
        *_layer("conv1", network.conv1, network.bias1, PIXEL, by_channel=True),
        _activation("conv1", (8, 8, CONV1_CHANNELS), conv1),
        _activation("pool1", (4, 4, CONV1_CHANNELS), conv1),
        *_layer("conv2", network.conv2, network.bias2, conv1, by_channel=True),
        _activation("conv2", (4, 4, CONV2_CHANNELS), conv2),
        _activation("pool2", (2, 2, CONV2_CHANNELS), conv2),
        _shape_constant("flat_shape", (1, DENSE_INPUTS)),
        _activation("flat", (DENSE_INPUTS,), conv2),
        *_layer("dense", network.dense, network.bias3, conv2, by_channel=False),
        _activation("logits", (CLASSES,), logits),
        _activation("probabilities", (CLASSES,), quantization.PROBABILITY),
    )
    operators = (
        Operator("CONV_2D", (0, 1, 2), (3,), 3, _CONV),
        Operator("MAX_POOL_2D", (3,), (4,), 2, _POOL),
        Operator("CONV_2D", (4, 5, 6), (7,), 3, _CONV),
        Operator("MAX_POOL_2D", (7,), (8,), 2, _POOL),
        Operator("RESHAPE", (8, 9), (10,), 1, Reshape((1, DENSE_INPUTS))),
        Operator("FULLY_CONNECTED", (10, 11, 12), (13,), 4, FullyConnected()),
        Operator("SOFTMAX", (13,), (14,), 2, Softmax(beta=1.0)),
    )
    graph = Graph(tensors, operators, inputs=(0,), outputs=(14,), name="main")
    signature = Signature("serving_default", 0, (("image", 0),), (("probabilities", 14),))
    return Model((graph,), "Handwritten digits, 8×8", (signature,))


def _activation(name: str, shape: tuple[int, ...], values: Quantization) -> Tensor:
    return Tensor(name, (1, *shape), DType.INT8, values)


def _layer(
    name: str, weights: Array, bias: Array, inputs: Quantization, *, by_channel: bool
) -> tuple[Tensor, Tensor]:
    scales = (quantization.per_channel if by_channel else quantization.per_tensor)(weights)
    sums = quantization.bias(inputs, scales)
    return (
        Tensor(
            f"{name}/weights",
            weights.shape,
            DType.INT8,
            scales,
            quantization.to_int8(weights, scales).tobytes(),
        ),
        Tensor(
            f"{name}/bias",
            bias.shape,
            DType.INT32,
            sums,
            quantization.to_int32(bias, sums).astype("<i4").tobytes(),
        ),
    )


def _shape_constant(name: str, shape: tuple[int, ...]) -> Tensor:
    return Tensor(name, (len(shape),), DType.INT32, None, np.array(shape, "<i4").tobytes())
