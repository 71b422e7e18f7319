"""A frozen int8 model as the first part of another: its first output are the features."""

from dataclasses import replace
from math import prod

from toolchain.errors import ModelRefused
from toolchain.export.graph import Builder
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Model, Quantization, Tensor
from toolchain.tflite.reader import read


def read_backbone(data: bytes, features: int) -> Model:
    """Read a model that a head of so many inputs can stand on.

    Raises:
        ModelRefused: no TFLite model, or its input or features are not what a head can use; the
            text begins with `backbone`.
    """
    try:
        model = read(data)
    except ModelRefused as error:
        raise ModelRefused(f"backbone: {error}") from None
    graph = model.main
    if len(graph.inputs) != 1 or not graph.outputs:
        raise ModelRefused("backbone: it must have one input, and its features as first output")
    for what, index in (("input", graph.inputs[0]), ("features", graph.outputs[0])):
        tensor = graph.tensors[index]
        if tensor.dtype is not DType.INT8 or not _is_per_tensor(tensor):
            raise ModelRefused(
                f"backbone: its {what} {tensor.name!r} are {tensor.dtype.label}; "
                "quantize the whole model to int8"
            )
        if tensor.is_dynamic or tensor.shape[:1] != (1,):
            raise ModelRefused(
                f"backbone: its {what} {tensor.name!r} have the shape {list(tensor.shape)}; "
                "fix it to a batch of one"
            )
        if tensor.is_constant:
            raise ModelRefused(f"backbone: its {what} {tensor.name!r} are a constant")
    given = prod(graph.tensors[graph.outputs[0]].shape)
    if given != features:
        raise ModelRefused(f"backbone: it gives {given} features, the network takes {features}")
    return model


def begin(model: Model) -> Builder:
    """A graph that holds the backbone and goes on from its features."""
    graph = model.main
    # The head's graph has no shape that changes, and what a signature called has moved.
    tensors = [replace(tensor, signature=()) for tensor in graph.tensors]
    return Builder(tensors, list(graph.operators), graph.outputs[0])


def input_of(model: Model) -> Tensor:
    """The input of a backbone."""
    return model.main.tensors[model.main.inputs[0]]


def features_scale(model: Model) -> Quantization:
    """How its features are quantized."""
    found = model.main.tensors[model.main.outputs[0]].quantization
    assert found is not None, "a backbone was checked"
    return found


def _is_per_tensor(tensor: Tensor) -> bool:
    return tensor.quantization is not None and len(tensor.quantization.scales) == 1
