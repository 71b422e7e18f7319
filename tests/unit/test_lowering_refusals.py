"""What cannot be lowered is refused in one line that names the operator and its position."""

from dataclasses import replace

import pytest

from tests.support.small_models import conv_model, with_operator, with_tensor
from toolchain.errors import ModelRefused
from toolchain.lowering.lower import lower
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Quantization
from toolchain.tflite.options import Softmax
from toolchain.tflite.slots import Activation

MODEL = conv_model()
CONV = MODEL.main.operators[0].options


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            with_operator(MODEL, 2, name="COS", options=None),
            r"operator 2 \(COS\): is not supported by the engine",
        ),
        (
            with_operator(MODEL, 2, name="CUSTOM", custom_name="Magic", options=None),
            r"operator 2 \(CUSTOM Magic\)",
        ),
        (
            with_operator(MODEL, 0, options=replace(CONV, activation=Activation.TANH)),
            r"operator 0 \(CONV_2D\): the fused activation TANH",
        ),
        (
            with_tensor(MODEL, 0, dtype=DType.FLOAT32),
            r"operator 0 .*input is float32 \(dynamic range\)",
        ),
        (with_tensor(MODEL, 1, data=None), r"operator 0 .*input 1 is not a constant"),
        (with_tensor(MODEL, 3, quantization=None), r"operator 0 .*'conv' is not quantized"),
        (
            with_tensor(MODEL, 3, quantization=Quantization((0.0,), (0,))),
            r"operator 0 .*no usable scale",
        ),
        (
            with_tensor(MODEL, 0, quantization=Quantization((0.5,), (200,))),
            r"operator 0 .*no usable scale",
        ),
        (
            with_tensor(MODEL, 1, quantization=Quantization((0.5,), (3,))),
            r"operator 0 .*only symmetric weights",
        ),
        (with_tensor(MODEL, 0, signature=(1, -1, 4, 2)), r"operator 0 .*fixed shapes"),
        (with_tensor(MODEL, 0, is_variable=True), r"operator 0 .*variable"),
        (
            with_tensor(MODEL, 6, quantization=Quantization((1 / 128,), (-128,))),
            r"operator 2 \(SOFTMAX\): its output must have scale 1/256",
        ),
    ],
)
def test_a_model_is_refused(model, reason):
    with pytest.raises(ModelRefused, match=reason) as told:
        lower(model)
    assert "\n" not in str(told.value)


def test_too_many_classes_are_refused():
    tensors = [
        replace(MODEL.main.tensors[5], shape=(1, 4096)),
        replace(MODEL.main.tensors[6], shape=(1, 4096)),
    ]
    softmax = replace(MODEL.main.operators[2], inputs=(0,), outputs=(1,), options=Softmax(1.0))
    graph = replace(
        MODEL.main, tensors=tuple(tensors), operators=(softmax,), inputs=(0,), outputs=(1,)
    )
    with pytest.raises(ModelRefused, match="up to 4095 classes"):
        lower(replace(MODEL, graphs=(graph,), signatures=()))
