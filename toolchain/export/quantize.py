"""A trained network as an int8 .tflite, alone or behind its frozen backbone."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from toolchain.errors import ModelRefused
from toolchain.export import backbone as frozen
from toolchain.export import calibration as c
from toolchain.export.forward import ranges
from toolchain.export.graph import Builder
from toolchain.export.layers import Floats, Layer, layers_of
from toolchain.export.scales import LEAST_SCALE, MAX_VALUE, input_scale
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Quantization, Signature, Tensor
from toolchain.tflite.writer import write
from toolchain.training.network import Network

Int8 = NDArray[np.int8]
Run = Callable[[bytes, Int8], Int8]
"""Runs a .tflite of one input: int8[n, …] to its first output for each, int8[n, outputs]."""


@dataclass(frozen=True)
class Trained:
    """What is to be exported.

    Attributes:
        parameters: float32[P] in the order of `sv_params`.
        backbone: the .tflite whose first output the network takes; None: it takes the input.
        scale: of the int8 input; None: what the inputs call for. A backbone has its own.
    """

    network: Network
    parameters: Floats
    backbone: bytes | None = None
    scale: Quantization | None = None


@dataclass(frozen=True)
class Quantized:
    """The model, and what it was calibrated with.

    Attributes:
        model: a .tflite of int8 [1, …] in and int8 [1, outputs] out.
        inputs: int8[n, *shape]: the calibration as the model takes it.
        outputs: float32[n, outputs]: what the network gives for it before quantization, without
            softmax.
    """

    model: bytes
    input: Tensor
    output: Tensor
    inputs: Int8
    outputs: Floats


def quantize(
    trained: Trained, calibration: NDArray[np.generic] | None, run: Run | None = None
) -> Quantized:
    """Quantize after training, with the ranges that the calibration shows.

    Args:
        trained: network and parameters.
        calibration: [n, …] inputs, real or int8; None: noise.
        run: for the features of a backbone, if there is one.

    Raises:
        ModelRefused: network, parameters, backbone and calibration do not go together.
    """
    layers = layers_of(trained.network, trained.parameters)
    if trained.scale is not None and not LEAST_SCALE <= trained.scale.scales[0] <= c.MAX_NUMBER:
        raise ModelRefused(f"input scale: must be {LEAST_SCALE:.3g} to {c.MAX_NUMBER:.3g}")
    if trained.backbone is None:
        return _whole(trained, layers, calibration)
    assert run is not None, "features come from somewhere"
    return _behind(trained, trained.backbone, layers, calibration, run)


def _whole(
    trained: Trained, layers: tuple[Layer, ...], calibration: NDArray[np.generic] | None
) -> Quantized:
    shape, scale = trained.network.input, trained.scale
    if calibration is None:
        real = c.noise(shape, scale or c.UNIT)
        scale = scale or c.UNIT
    else:
        real = c.real_inputs(calibration, shape, scale)
        scale = scale or input_scale(real)
    inputs = c.to_int8(real, scale)
    # The ranges are those of the inputs that the model will see.
    seen, last = ranges(layers, c.to_real(inputs, scale))
    source = Tensor("input", (1, *shape), DType.INT8, scale)
    builder = _built(Builder([source]), trained, layers, seen)
    graph = Graph(tuple(builder.tensors), tuple(builder.operators), (0,), (builder.last,), "main")
    return _done(Model((graph,), "", ()), inputs, last)


def _behind(
    trained: Trained,
    data: bytes,
    layers: tuple[Layer, ...],
    calibration: NDArray[np.generic] | None,
    run: Run,
) -> Quantized:
    model = frozen.read_backbone(data, prod(trained.network.input))
    source = frozen.input_of(model)
    scale = source.quantization
    assert scale is not None, "a backbone was checked"
    if trained.scale is not None and trained.scale != scale:
        raise ModelRefused(
            f"input scale: the backbone has {scale.scales[0]:g} and zero point "
            f"{scale.zero_points[0]}; leave it out"
        )
    shape = source.shape[1:] or (1,)
    if calibration is None:
        real = c.noise(shape, scale)
    else:
        real = c.real_inputs(calibration, shape, scale)
    inputs = c.to_int8(real, scale)
    features = c.to_real(run(data, inputs), frozen.features_scale(model))
    seen, last = ranges(layers, features)
    builder = _built(frozen.begin(model), trained, layers, seen)
    graph = replace(
        model.main,
        tensors=tuple(builder.tensors),
        operators=tuple(builder.operators),
        outputs=(builder.last,),
    )
    joined = replace(model, graphs=(graph, *model.graphs[1:]), signatures=())
    return _done(joined, inputs, last)


def _built(
    builder: Builder, trained: Trained, layers: tuple[Layer, ...], seen: list[tuple[float, float]]
) -> Builder:
    for number, (layer, bounds) in enumerate(zip(layers, seen, strict=True)):
        if not -MAX_VALUE <= bounds[0] <= bounds[1] <= MAX_VALUE:
            raise ModelRefused(f"network: the outputs of layer {number} go beyond ±{MAX_VALUE:.3g}")
        builder.layer(number, layer, bounds)
    builder.shaped((1, layers[-1].step.output[2]))
    if trained.network.loss == "cross_entropy":
        builder.softmax()
    return builder


def _done(model: Model, inputs: Int8, last: Floats) -> Quantized:
    graph = model.main
    arguments = (("input", graph.inputs[0]),), (("output", graph.outputs[0]),)
    signed = replace(model, signatures=(Signature("serving_default", 0, *arguments),))
    source, result = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    return Quantized(write(signed), source, result, inputs, last)
