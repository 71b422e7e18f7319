"""Layers as int8 operators, behind whatever stands in a graph already."""

from dataclasses import dataclass, field
from math import prod

import numpy as np
from numpy.typing import NDArray

from toolchain import quantization as q
from toolchain.export import scales
from toolchain.export.layers import Floats, Layer
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Operator, Quantization, Tensor
from toolchain.tflite.options import (
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Options,
    Pool2D,
    Reshape,
    Softmax,
)
from toolchain.tflite.slots import Activation, Padding
from toolchain.training.steps import Kind

ACTIVATIONS = (Activation.NONE, Activation.RELU, Activation.RELU6)
Range = tuple[float, float]


@dataclass(frozen=True)
class _Sum:
    """An operator that sums products; `axis` of the weights counts the outputs.

    Dense weights share one scale: runtimes of some years ago know no other.
    """

    operator: str
    version: int
    options: Options
    weights: Floats
    axis: int
    shape: tuple[int, ...]


@dataclass
class Builder:
    """Tensors and operators of a graph that grows; `last` is the tensor that comes next in."""

    tensors: list[Tensor]
    operators: list[Operator] = field(default_factory=list)
    last: int = 0

    def layer(self, number: int, layer: Layer, seen: Range) -> None:
        """Append a layer; `seen` is the range of its outputs in float32."""
        step, name = layer.step, f"layer{number}"
        if step.is_linear and step.kernel == step.input[:2] and step.output[:2] == (1, 1):
            self.shaped((1, prod(step.input)))
            self._weighted(name, _dense(layer), layer.bias, seen)
            return
        self.shaped((1, *step.input))
        if step.has_weights:
            self._weighted(name, _convolution(layer), layer.bias, seen)
            return
        kind = "MAX_POOL_2D" if step.kind is Kind.MAX_POOL else "AVERAGE_POOL_2D"
        down, across = step.stride
        pool = Pool2D(_padding(layer), across, down, step.kernel[1], step.kernel[0])
        same = self._quantization()
        self._operate(kind, 2, pool, (), Tensor(name, (1, *step.output), DType.INT8, same))

    def shaped(self, shape: tuple[int, ...]) -> None:
        """Reshape, unless that is its shape."""
        if self.tensors[self.last].shape == shape:
            return
        wanted = np.array(shape, "<i4")
        constant = Tensor("shape", wanted.shape, DType.INT32, None, wanted.tobytes())
        same = Tensor("flat", shape, DType.INT8, self._quantization())
        self._operate("RESHAPE", 1, Reshape(shape), (constant,), same)

    def softmax(self) -> None:
        """Append the softmax that training had in its loss."""
        result = Tensor("probabilities", self.tensors[self.last].shape, DType.INT8, q.PROBABILITY)
        self._operate("SOFTMAX", 2, Softmax(1.0), (), result)

    def _quantization(self) -> Quantization:
        found = self.tensors[self.last].quantization
        assert found is not None, "every activation is quantized"
        return found

    def _weighted(self, name: str, sum_: _Sum, bias: Floats, seen: Range) -> None:
        source, channels = self._quantization(), np.moveaxis(sum_.weights, sum_.axis, 0)
        by_channel = sum_.operator != "FULLY_CONNECTED"
        steps = scales.weight_scales(channels, bias, source, by_channel=by_channel)
        output = scales.output_scale(*seen, source, steps)
        steps = scales.coarsened(steps, source, output)
        sums = q.bias(source, steps)
        stored = np.moveaxis(q.to_int8(channels, steps), 0, sum_.axis)
        if by_channel:
            steps = Quantization(steps.scales, steps.zero_points, sum_.axis)
        integers = q.to_int32(bias, sums).astype("<i4")
        constants = (
            Tensor(f"{name}/weights", stored.shape, DType.INT8, steps, _bytes(stored)),
            Tensor(f"{name}/bias", bias.shape, DType.INT32, sums, _bytes(integers)),
        )
        result = Tensor(name, sum_.shape, DType.INT8, output)
        self._operate(sum_.operator, sum_.version, sum_.options, constants, result)

    def _operate(
        self,
        name: str,
        version: int,
        options: Options,
        constants: tuple[Tensor, ...],
        result: Tensor,
    ) -> None:
        first = len(self.tensors)
        self.tensors += [*constants, result]
        inputs = (self.last, *range(first, first + len(constants)))
        self.last = first + len(constants)
        self.operators.append(Operator(name, inputs, (self.last,), version, options))


def _dense(layer: Layer) -> _Sum:
    flat = layer.weights.reshape(len(layer.weights), -1)
    options = FullyConnected(ACTIVATIONS[layer.step.activation])
    return _Sum("FULLY_CONNECTED", 4, options, flat, 0, (1, len(flat)))


def _convolution(layer: Layer) -> _Sum:
    step, shape = layer.step, (1, *layer.step.output)
    (down, across), padding = step.stride, _padding(layer)
    fused = ACTIVATIONS[step.activation]
    if step.is_linear:
        options = Conv2D(padding, across, down, fused)
        return _Sum("CONV_2D", 3, options, layer.weights, 0, shape)
    each = DepthwiseConv2D(padding, across, down, 1, fused)
    return _Sum("DEPTHWISE_CONV_2D", 3, each, layer.weights, 3, shape)


def _padding(layer: Layer) -> Padding:
    return Padding[layer.padding.upper()]


def _bytes(array: NDArray[np.generic]) -> bytes:
    return np.ascontiguousarray(array).tobytes()
