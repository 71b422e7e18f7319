"""The account of published models agrees with published figures, and with another reader."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import tflite
from ai_edge_litert.interpreter import Interpreter

from toolchain.inspect.report import report
from toolchain.inspect.runtimes import TFLITE_PACKAGES, verdicts
from toolchain.tflite.reader import read

MODELS = Path(__file__).parents[3] / "shared" / "models"
# MACs and live memory as published for MLPerf Tiny; counts of operators by another reader.
PUBLISHED = {
    "ad01_int8": (264_192, 768),
    "kws_ref_model": (2_656_768, 16_000),
    "pretrainedResnet_quant": (12_501_632, 49_152),
    "vww_96_int8": (7_489_664, 55_296),
}


@pytest.fixture(params=sorted(PUBLISHED))
def name(request):
    if not (MODELS / f"{request.param}.tflite").exists():
        pytest.skip(f"{MODELS} is not there: the MLPerf Tiny models lie beside the project")
    return request.param


@pytest.fixture
def data(name):
    return (MODELS / f"{name}.tflite").read_bytes()


@pytest.fixture
def tree(data):
    model = read(data)
    installed = {one for one in TFLITE_PACKAGES if importlib.util.find_spec(one)}
    return report(model, verdicts(model, installed))


def test_work_and_memory_are_as_published(name, tree):
    macs, lower_bound_bytes = PUBLISHED[name]
    assert tree["macs"] == macs == sum(one["macs"] for one in tree["operators"])
    assert tree["arena_lower_bound_bytes"] == lower_bound_bytes
    assert tree["arena_bytes"] == lower_bound_bytes


def test_it_can_run_here_and_is_static_int8(tree):
    assert tree["runtimes"][0]["can_run"]
    assert tree["arithmetic"] == "int8"
    assert tree["warnings"] == []


def test_the_interpreter_sees_the_same_tensors(data, tree):
    interpreter = Interpreter(model_content=data)
    theirs = {one["index"]: one for one in interpreter.get_tensor_details()}
    for ours in tree["tensors"]:
        other = theirs[ours["index"]]
        assert ours["name"] == other["name"]
        assert ours["shape"] == other["shape"].tolist()
        assert ours["dtype"] == np.dtype(other["dtype"]).name
        scales = ours["scale"] if isinstance(ours["scale"], list) else [ours["scale"]]
        zeros = ours["zero_point"] if isinstance(ours["zero_point"], list) else [ours["zero_point"]]
        if ours["scale"] is not None:
            assert other["quantization_parameters"]["scales"].tolist() == scales
            assert other["quantization_parameters"]["zero_points"].tolist() == zeros
    assert [one["index"] for one in interpreter.get_input_details()] == tree["inputs"]
    assert [one["index"] for one in interpreter.get_output_details()] == tree["outputs"]


def test_the_generated_code_sees_the_same_operators_and_constants(data, tree):
    root = tflite.Model.GetRootAs(data)
    graph = root.Subgraphs(0)
    assert graph.OperatorsLength() == len(tree["operators"])
    for ours in tree["operators"]:
        theirs = graph.Operators(ours["index"])
        code = root.OperatorCodes(theirs.OpcodeIndex())
        assert ours["name"] == tflite.utils.BUILTIN_OPCODE2NAME[code.BuiltinCode()]
        assert ours["version"] == code.Version()
        assert ours["inputs"] == theirs.InputsAsNumpy().tolist()
        assert ours["outputs"] == theirs.OutputsAsNumpy().tolist()
    for index, tensor in enumerate(read(data).main.tensors):
        buffer = root.Buffers(graph.Tensors(index).Buffer())
        theirs = None if buffer.DataIsNone() else buffer.DataAsNumpy().tobytes()
        assert tensor.data == theirs
