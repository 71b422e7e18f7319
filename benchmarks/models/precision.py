"""A network as a TFLite model in one of three precisions, as TFLite's own converter writes them.

int8: activations per tensor, weights per channel (the dense layer per tensor), biases int32.
16x8: activations int16 with zero point 0, weights as above, biases int64.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.models.network import Node
from toolchain import quantization
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Operator, Quantization, Signature, Tensor
from toolchain.tflite.options import (
    Add,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Options,
    Pool2D,
    Reducer,
    Reshape,
    Softmax,
)
from toolchain.tflite.slots import Activation, Padding

PRECISIONS = {"float32": DType.FLOAT32, "int8": DType.INT8, "16x8": DType.INT16}
PROBABILITY = {
    DType.INT8: Quantization((1 / 256,), (-128,)),
    DType.INT16: Quantization((1 / 32768,), (0,)),
    DType.FLOAT32: None,
}
# The schema's operator versions, in the order of PRECISIONS.
VERSIONS = {
    "CONV_2D": (1, 3, 4),
    "DEPTHWISE_CONV_2D": (1, 3, 5),
    "FULLY_CONNECTED": (1, 4, 7),
    "ADD": (1, 2, 3),
    "MEAN": (1, 2, 3),
    "AVERAGE_POOL_2D": (1, 2, 3),
    "RESHAPE": (1, 1, 1),
    "SOFTMAX": (1, 2, 3),
}


def to_model(nodes: list[Node], precision: str, name: str) -> Model:
    """Quantize a network, or not, and lay it out as a model with one input and one output.

    Args:
        nodes: what `network.build` gives.
        precision: a key of `PRECISIONS`.
        name: the model's description.
    """
    writer = _Writer(PRECISIONS[precision])
    for node in nodes:
        writer.add(node)
    last = writer.values[-1]
    graph = Graph(tuple(writer.tensors), tuple(writer.operators), (0,), (last,), "main")
    signature = Signature("serving_default", 0, (("image", 0),), (("probabilities", last),))
    return Model((graph,), name, (signature,))


@dataclass
class _Writer:
    """Tensors and operators so far; `values` holds the tensor of each node's value."""

    dtype: DType
    tensors: list[Tensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    values: list[int] = field(default_factory=list)

    def add(self, node: Node) -> None:
        """Append one node: its constants, its value, its operator."""
        inputs = [self.values[number] for number in node.inputs]
        if node.kind == "INPUT":
            value = self._value(node)
        elif node.kind == "MEAN" and self.dtype is DType.INT16:
            value = self._pool(node, inputs[0])
        else:
            inputs += self._constants(node, inputs)
            value = self._value(node)
            self._operator(node.kind, inputs, value, _options(node))
        self.values.append(value)

    def _pool(self, node: Node, source: int) -> int:
        """The mean of a whole picture as engines for 16x8 know it: a pool, then a reshape."""
        entry = self.tensors[source]
        _, height, width, channels = entry.shape
        pooled = self._append(replace(entry, name="pool", shape=(1, 1, 1, channels)))
        self._operator(
            "AVERAGE_POOL_2D", [source], pooled, Pool2D(Padding.VALID, 1, 1, width, height)
        )
        shape = self._integers("flat_shape", (1, channels))
        flat = self._append(replace(entry, name="flat", shape=(1, *node.shape)))
        self._operator("RESHAPE", [pooled, shape], flat, Reshape((1, channels)))
        return flat

    def _constants(self, node: Node, inputs: list[int]) -> list[int]:
        if node.kind == "MEAN":
            return [self._integers("axes", (1, 2))]
        if node.weights is None or node.bias is None:
            return []
        name = f"{node.kind.lower()}_{len(self.values)}"
        axis = 3 if node.kind == "DEPTHWISE_CONV_2D" else 0
        dense = node.kind == "FULLY_CONNECTED"
        stored: NDArray[np.generic] = node.weights
        bias: NDArray[np.generic] = node.bias
        dtypes, scales, sums = (DType.FLOAT32, DType.FLOAT32), None, None
        if self.dtype is not DType.FLOAT32:
            of_inputs = self.tensors[inputs[0]].quantization
            assert of_inputs
            wide = self.dtype is DType.INT16
            dtypes = DType.INT8, DType.INT64 if wide else DType.INT32
            scales = (quantization.per_tensor if dense else quantization.per_channel)(node.weights)
            sums = quantization.bias(of_inputs, scales)
            stored = quantization.to_int8(node.weights, scales)
            bias = quantization.to_int32(node.bias, sums).astype("<i8" if wide else "<i4")
        if axis:  # [channels, 3, 3, 1] to [1, 3, 3, channels]
            stored = stored.transpose(3, 1, 2, 0)
            scales = scales and replace(scales, axis=axis)
        weights = Tensor(f"{name}/weights", stored.shape, dtypes[0], scales, stored.tobytes())
        added = Tensor(f"{name}/bias", bias.shape, dtypes[1], sums, bias.tobytes())
        return [self._append(weights), self._append(added)]

    def _value(self, node: Node) -> int:
        scales = _range(node, self.dtype)
        name = f"{node.kind.lower()}_{len(self.values)}"
        return self._append(Tensor(name, (1, *node.shape), self.dtype, scales))

    def _integers(self, name: str, values: tuple[int, ...]) -> int:
        data = np.array(values, "<i4").tobytes()
        return self._append(Tensor(name, (len(values),), DType.INT32, None, data))

    def _operator(self, kind: str, inputs: list[int], output: int, options: Options) -> None:
        version = VERSIONS[kind][list(PRECISIONS.values()).index(self.dtype)]
        self.operators.append(Operator(kind, tuple(inputs), (output,), version, options))

    def _append(self, tensor: Tensor) -> int:
        self.tensors.append(tensor)
        return len(self.tensors) - 1


def _range(node: Node, dtype: DType) -> Quantization | None:
    """How the values of a node are quantized."""
    if node.kind == "SOFTMAX":
        return PROBABILITY[dtype]
    if dtype is DType.INT8:
        return quantization.activation(np.array([node.low, node.high]))
    if dtype is DType.INT16:
        return Quantization((float(np.float32(max(-node.low, node.high) / 32767)),), (0,))
    return None


def _options(node: Node) -> Options:
    fused = Activation.RELU6 if node.relu6 else Activation.NONE
    step = node.stride
    match node.kind:
        case "CONV_2D":
            return Conv2D(Padding.SAME, step, step, fused)
        case "DEPTHWISE_CONV_2D":
            return DepthwiseConv2D(Padding.SAME, step, step, 1, fused)
        case "FULLY_CONNECTED":
            return FullyConnected()
        case "ADD":
            return Add(pot_scale_int16=False)
        case "MEAN":
            return Reducer(keep_dims=False)
        case _:
            return Softmax(1.0)
