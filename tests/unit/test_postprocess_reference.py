"""The examples of docs/reference/outputs.md are what the code gives."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from agent.config.processing import (
    AnomalyPostprocess,
    ClassifyPostprocess,
    DetectPostprocess,
    RegressPostprocess,
)
from agent.pipeline.postprocess import build_postprocessor
from agent.runtime.protocol import TensorInfo

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "outputs.md"
FOUND = re.findall(r"<!-- example: (\S+) -->\n```json\n(.*?)```", PAGE.read_text("utf-8"), re.S)
INPUT = TensorInfo("x", (1, 4), "float32")


def classify():
    config = ClassifyPostprocess("classify", labels=("no person", "person"), top_k=2)
    info = TensorInfo("y", (1, 2), "float32")
    postprocessor = build_postprocessor(config, (info,), INPUT)
    yield "classify", postprocessor.result([np.array([[0.1094, 0.8906]], np.float32)], None)
    broken = np.array([[np.nan, 0.8906]], np.float32)
    yield "classify-not-finite", postprocessor.result([broken], None)


def detect():
    config = DetectPostprocess("detect", labels=("cat", "dog"))
    shapes = (1, 2, 4), (1, 2), (1, 2), (1,)
    infos = [TensorInfo(f"y:{i}", shape, "float32") for i, shape in enumerate(shapes)]
    postprocessor = build_postprocessor(config, infos, INPUT)
    boxes = [[[0.1, 0.2, 0.5, 0.6], [-0.2, 0.5, 0.4, 1.3]]]
    for name, count in (("detect", 2), ("detect-nothing", 0)):
        arrays = [np.array(a, np.float32) for a in (boxes, [[1, 0]], [[0.9, 0.6]], [count])]
        yield name, postprocessor.result(arrays, None)


def anomaly():
    config = AnomalyPostprocess("anomaly", threshold=10.0)
    info = TensorInfo("y", (1, 4), "float32")
    postprocessor = build_postprocessor(config, (info,), INPUT)
    for name, value in (("anomaly", 3.5), ("anomaly-not-finite", np.inf)):
        output = np.full((1, 4), value, np.float32)
        yield name, postprocessor.result([output], np.zeros((1, 4), np.float32))


def regress():
    config = RegressPostprocess("regress", names=("temperature_c", "humidity"), scale=(10.0, 0.1))
    info = TensorInfo("y", (1, 2), "float32")
    postprocessor = build_postprocessor(config, (info,), INPUT)
    for name, value in (("regress", 2.15), ("regress-not-finite", np.nan)):
        yield name, postprocessor.result([np.array([[value, 4.15]], np.float32)], None)


GIVEN = {
    name: tree for examples in (classify, detect, anomaly, regress) for name, tree in examples()
}


def test_every_example_is_compared():
    assert [name for name, _ in FOUND] == list(GIVEN)


@pytest.mark.parametrize(("name", "text"), FOUND)
def test_example_is_what_the_code_gives(name, text):
    assert json.loads(text) == GIVEN[name]
