"""Random networks in which many filters are all zeros, as strong regularisation leaves them."""

import numpy as np

from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Operator, Quantization, Tensor
from toolchain.tflite.options import (
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Options,
    Pool2D,
    Reshape,
)
from toolchain.tflite.slots import Activation, Padding

Random = np.random.Generator


def idle_network(seed: int) -> Model:
    """CONV_2D, then some of DEPTHWISE_CONV_2D, pooling and CONV_2D, RESHAPE, FULLY_CONNECTED."""
    rng = np.random.default_rng(seed)
    made = _Making(rng)
    made.conv(int(rng.integers(4, 30)))
    for _ in range(int(rng.integers(1, 4))):
        for step in rng.permutation(["depthwise", "pool", "conv"])[: rng.integers(1, 4)]:
            if step == "depthwise":
                made.depthwise()
            elif step == "pool":
                made.pool("AVERAGE_POOL_2D" if rng.random() < 0.5 else "MAX_POOL_2D")
            else:
                made.conv(int(rng.integers(4, 30)))
    made.head()
    return made.model()


class _Making:
    def __init__(self, rng: Random) -> None:
        self._rng = rng
        shape = (1, int(rng.integers(3, 8)), int(rng.integers(3, 8)), int(rng.integers(1, 5)))
        self._tensors = [Tensor("in", shape, DType.INT8, self._quantization())]
        self._operators: list[Operator] = []
        self._last = 0

    def conv(self, filters: int) -> None:
        kernel = int(self._rng.integers(1, 4))
        depth = self._tensors[self._last].shape[3]
        weights = self._weights((filters, kernel, kernel, depth), 0)
        options = Conv2D(self._padding(kernel), 1, 1, self._activation())
        self._sum("CONV_2D", weights, filters, options, kernel, options.padding)

    def depthwise(self) -> None:
        kernel = int(self._rng.integers(1, 4))
        channels = self._tensors[self._last].shape[3]
        weights = self._weights((1, kernel, kernel, channels), 3)
        options = DepthwiseConv2D(self._padding(kernel), 1, 1, 1, self._activation())
        self._sum("DEPTHWISE_CONV_2D", weights, channels, options, kernel, options.padding)

    def pool(self, name: str) -> None:
        options = Pool2D(Padding.SAME, 1, 1, 2, 2, self._activation())
        source = self._tensors[self._last]
        self._add(
            name,
            (self._last,),
            Tensor(name, source.shape, DType.INT8, source.quantization),
            options,
        )

    def head(self) -> None:
        source = self._tensors[self._last]
        _, height, width, channels = source.shape
        options = Pool2D(Padding.VALID, 1, 1, width, height, Activation.NONE)
        shape = (1, 1, 1, channels)
        self._add(
            "AVERAGE_POOL_2D",
            (self._last,),
            Tensor("pooled", shape, DType.INT8, source.quantization),
            options,
        )
        self._tensors.append(
            Tensor("shape", (2,), DType.INT32, None, np.array([1, channels], "<i4").tobytes())
        )
        flat = Tensor("flat", (1, channels), DType.INT8, source.quantization)
        self._add("RESHAPE", (self._last, len(self._tensors) - 1), flat, Reshape((1, channels)))
        weights = self._rng.integers(-127, 128, (5, channels)).astype(np.int8)
        self._tensors += [
            Tensor("w", (5, channels), DType.INT8, Quantization((0.02,), (0,)), weights.tobytes()),
            self._bias(5, np.zeros(5, bool)),
        ]
        inputs = (self._last, len(self._tensors) - 2, len(self._tensors) - 1)
        target = Tensor("out", (1, 5), DType.INT8, Quantization((0.6,), (3,)))
        self._add("FULLY_CONNECTED", inputs, target, FullyConnected(Activation.NONE))

    def model(self) -> Model:
        return Model((Graph(tuple(self._tensors), tuple(self._operators), (0,), (self._last,)),))

    def _sum(
        self,
        name: str,
        weights: Tensor,
        channels: int,
        options: Conv2D | DepthwiseConv2D,
        kernel: int,
        padding: Padding,
    ) -> None:
        _, height, width, _ = self._tensors[self._last].shape
        if padding is Padding.VALID:
            height, width = height - kernel + 1, width - kernel + 1
        data = np.frombuffer(weights.data or b"", np.int8).reshape(weights.shape)
        axis = 0 if name == "CONV_2D" else 3
        idle = ~data.any(tuple(number for number in range(4) if number != axis))
        self._tensors += [weights, self._bias(channels, idle)]
        inputs = (self._last, len(self._tensors) - 2, len(self._tensors) - 1)
        shape = (1, height, width, channels)
        self._add(name, inputs, Tensor(name, shape, DType.INT8, self._quantization()), options)

    def _add(self, name: str, inputs: tuple[int, ...], target: Tensor, options: Options) -> None:
        self._tensors.append(target)
        self._last = len(self._tensors) - 1
        self._operators.append(Operator(name, inputs, (self._last,), 3, options))

    def _weights(self, shape: tuple[int, ...], axis: int) -> Tensor:
        values = self._rng.integers(-127, 128, shape).astype(np.int8)
        idle = self._rng.random(shape[axis]) < self._rng.choice([0.0, 0.3, 0.8, 1.0])
        np.moveaxis(values, axis, 0)[idle] = 0
        scales = tuple(float(each) for each in self._rng.uniform(0.002, 0.02, shape[axis]))
        quantization = Quantization(scales, (0,) * shape[axis], axis)
        return Tensor("w", shape, DType.INT8, quantization, values.tobytes())

    def _bias(self, channels: int, idle: np.ndarray) -> Tensor:
        values = self._rng.integers(-3000, 3000, channels)
        far = self._rng.choice([-(2**30), 2**30, 0], channels)
        values = np.where(idle & (self._rng.random(channels) < 0.6), far, values)
        return Tensor("b", (channels,), DType.INT32, None, values.astype("<i4").tobytes())

    def _padding(self, kernel: int) -> Padding:
        _, height, width, _ = self._tensors[self._last].shape
        fits = kernel <= min(height, width)
        return Padding.VALID if fits and self._rng.random() < 0.5 else Padding.SAME

    def _activation(self) -> Activation:
        return [Activation.NONE, Activation.RELU, Activation.RELU6][self._rng.integers(0, 3)]

    def _quantization(self) -> Quantization:
        zero_point = int(self._rng.choice([-128, -128, -5, 17]))
        return Quantization((float(self._rng.uniform(0.02, 0.1)),), (zero_point,))
