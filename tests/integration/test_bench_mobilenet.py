"""The generated MobileNetV2 is that of the paper, alive, and one network in all precisions."""

import numpy as np
import pytest

from benchmarks.mobilenet_v2 import models
from benchmarks.models.network import build, pictures
from tests.support.engine import Lite, Micro
from toolchain.inspect.macs import macs
from toolchain.tflite.writer import write

QUANTIZED = ("int8", "16x8")


@pytest.fixture(scope="module")
def small():
    return models(0.35, 96)


def test_size_of_the_networks_is_that_of_the_paper(small):
    # 300 million with 1000 classes (Sandler et al. 2018, table 4), of which 1280 · 990 fall away.
    kinds = [operator.name for operator in small["mobilenet_v2_0.35_96_int8"].main.operators]
    assert (kinds.count("CONV_2D"), kinds.count("DEPTHWISE_CONV_2D"), kinds.count("ADD")) == (
        35,
        17,
        10,
    )
    for model in small.values():
        assert sum(macs(model.main, one) for one in model.main.operators) == 10_666_928


def test_channels_live_in_every_layer():
    for node in build(0.35, 96):
        assert node.low < node.high


@pytest.mark.parametrize("reference", [Lite, Micro])
def test_precisions_answer_alike(small, reference):
    answers = {
        name.rsplit("_", 1)[1]: answered(reference(write(model)), model)
        for name, model in small.items()
    }
    assert np.ptp(answers["float32"]) > 0.3
    # Random weights carry a rounding far; answers of another network would not correlate at all.
    for precision in QUANTIZED:
        assert np.corrcoef(answers[precision], answers["float32"])[0, 1] > 0.5


def answered(interpreter, model):
    entry, last = (model.main.tensors[one[0]] for one in (model.main.inputs, model.main.outputs))
    answers = []
    for picture in pictures(96, seed=0)[:, None]:
        values = picture
        if entry.quantization:
            scaled = (
                np.rint(picture / entry.quantization.scales[0]) + entry.quantization.zero_points[0]
            )
            dtype = {8: np.int8, 16: np.int16}[entry.dtype.bits]
            values = scaled.clip(np.iinfo(dtype).min, np.iinfo(dtype).max).astype(dtype)
        answer = interpreter.run([values])[0].astype(float)
        if last.quantization:
            answer = (answer - last.quantization.zero_points[0]) * last.quantization.scales[0]
        answers.append(answer)
    return np.ravel(answers)
