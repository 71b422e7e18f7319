"""Small TFLite models for tests: one that is right, and ways to bend it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Operator, Quantization, Signature, Tensor
from toolchain.tflite.options import Conv2D, Reshape, Softmax
from toolchain.tflite.slots import Activation, Padding


def conv_model() -> Model:
    """int8 [1, 4, 4, 2] → 3×3 convolution to 3 channels → RESHAPE → SOFTMAX."""
    weights = (np.arange(3 * 3 * 3 * 2) % 255 - 27).astype(np.int8)
    scale = 1 / 256
    tensors = (
        Tensor("in", (1, 4, 4, 2), DType.INT8, Quantization((0.5,), (-3,))),
        Tensor(
            "w",
            (3, 3, 3, 2),
            DType.INT8,
            Quantization((0.25, 0.5, 0.125), (0, 0, 0)),
            weights.tobytes(),
        ),
        Tensor(
            "b",
            (3,),
            DType.INT32,
            Quantization((0.125, 0.25, 0.0625), (0, 0, 0)),
            np.array([1, -2, 3], "<i4").tobytes(),
        ),
        Tensor("conv", (1, 2, 2, 3), DType.INT8, Quantization((2.0,), (5,))),
        Tensor("shape", (2,), DType.INT32, None, np.array([1, 12], "<i4").tobytes()),
        Tensor("flat", (1, 12), DType.INT8, Quantization((2.0,), (5,))),
        Tensor("out", (1, 12), DType.INT8, Quantization((scale,), (-128,))),
    )
    operators = (
        Operator(
            "CONV_2D",
            (0, 1, 2),
            (3,),
            3,
            Conv2D(Padding.VALID, stride_w=1, stride_h=1, activation=Activation.RELU),
        ),
        Operator("RESHAPE", (3, 4), (5,), 1, Reshape((1, 12))),
        Operator("SOFTMAX", (5,), (6,), 2, Softmax(1.0)),
    )
    graph = Graph(tensors, operators, (0,), (6,), "main")
    return Model((graph,), "a test", (Signature("serve", 0, (("x", 0),), (("y", 6),)),))


def with_tensor(model: Model, index: int, **changes: Any) -> Model:
    """The model with one tensor of its first graph changed."""
    tensors = list(model.main.tensors)
    tensors[index] = replace(tensors[index], **changes)
    return with_graph(model, tensors=tuple(tensors))


def with_operator(model: Model, index: int, **changes: Any) -> Model:
    """The model with one operator of its first graph changed."""
    operators = list(model.main.operators)
    operators[index] = replace(operators[index], **changes)
    return with_graph(model, operators=tuple(operators))


def with_graph(model: Model, **changes: Any) -> Model:
    """The model with its first graph changed."""
    return replace(model, graphs=(replace(model.main, **changes), *model.graphs[1:]))


def activations(shapes: Sequence[tuple[int, ...]], dtype: DType = DType.INT8) -> tuple[Tensor, ...]:
    """Tensors without quantization, named by their number."""
    return tuple(Tensor(f"t{number}", shape, dtype) for number, shape in enumerate(shapes))
