"""The account of a model: work counted by hand, runtimes judged, refusals at the command line."""

import json
import subprocess
import sys

import pytest

import selvedge
from tests.support.small_models import activations, conv_model, with_operator, with_tensor
from toolchain.inspect.arithmetic import arithmetic
from toolchain.inspect.macs import macs
from toolchain.inspect.report import report
from toolchain.inspect.runtimes import verdicts, warnings
from toolchain.inspect.table import printable, text
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Graph, Model, Operator, Quantization, Tensor
from toolchain.tflite.options import BatchMatMul, Conv2D, DepthwiseConv2D, FullyConnected
from toolchain.tflite.options import TransposeConv as Transposed
from toolchain.tflite.reader import read
from toolchain.tflite.slots import Padding
from toolchain.tflite.writer import write

LITERT = {"ai_edge_litert"}


@pytest.mark.parametrize(
    ("name", "options", "shapes", "expected"),
    [
        ("CONV_2D", Conv2D(), [(1, 9, 9, 4), (5, 3, 2, 4), (1, 7, 8, 5)], 7 * 8 * 5 * 3 * 2 * 4),
        ("CONV_2D", Conv2D(), [(1, 9, 9, 4), (6, 3, 3, 2), (1, 9, 9, 6)], 9 * 9 * 6 * 3 * 3 * 2),
        (
            "DEPTHWISE_CONV_2D",
            DepthwiseConv2D(),
            [(2, 8, 8, 3), (1, 3, 5, 6), (2, 4, 4, 6)],
            2 * 4 * 4 * 6 * 15,
        ),
        ("FULLY_CONNECTED", FullyConnected(), [(3, 20), (7, 20), (3, 7)], 3 * 20 * 7),
        (
            "TRANSPOSE_CONV",
            Transposed(),
            [(4,), (5, 2, 2, 3), (1, 4, 4, 3), (1, 8, 8, 5)],
            4 * 4 * 3 * 2 * 2 * 5,
        ),
        ("BATCH_MATMUL", BatchMatMul(), [(2, 4, 6), (2, 6, 5), (2, 4, 5)], 2 * 4 * 6 * 5),
        (
            "BATCH_MATMUL",
            BatchMatMul(transpose_left=True),
            [(2, 6, 4), (2, 6, 5), (2, 4, 5)],
            2 * 4 * 6 * 5,
        ),
        ("ADD", None, [(4,), (4,), (4,)], 0),
    ],
)
def test_macs_are_those_counted_by_hand(name, options, shapes, expected):
    last = len(shapes) - 1
    operator = Operator(name, tuple(range(last)), (last,), 1, options)
    graph = Graph(activations(shapes), (operator,), tuple(range(last)), (last,))
    assert macs(graph, operator) == expected


def test_the_account_of_a_small_model():
    model = conv_model()
    tree = report(model, verdicts(model, LITERT))
    assert tree["macs"] == 2 * 2 * 3 * 3 * 3 * 2
    assert tree["weight_bytes"] == 54 + 12 + 8
    assert tree["arena_lower_bound_bytes"] == 32 + 12
    assert tree["arena_bytes"] == 32 + 12
    assert tree["arithmetic"] == "int8"
    assert [one["name"] for one in tree["operators"]] == ["CONV_2D", "RESHAPE", "SOFTMAX"]
    assert tree["operators"][0] == {
        "index": 0,
        "name": "CONV_2D",
        "version": 3,
        "inputs": [0, 1, 2],
        "outputs": [3],
        "macs": 216,
    }
    assert tree["tensors"][0] == {
        "index": 0,
        "name": "in",
        "shape": [1, 4, 4, 2],
        "dtype": "int8",
        "scale": 0.5,
        "zero_point": -3,
        "axis": None,
        "bytes": 32,
        "constant": False,
    }
    assert tree["tensors"][1]["scale"] == [0.25, 0.5, 0.125]
    assert tree["tensors"][1]["axis"] == 0
    assert tree["runtimes"][0]["can_run"] is True
    assert json.loads(json.dumps(tree)) == tree


def test_without_an_interpreter_nothing_can_run_and_the_remedy_is_named():
    (verdict,) = verdicts(conv_model(), set())
    assert not verdict.can_run
    assert "pip install ai-edge-litert" in verdict.reason


@pytest.mark.parametrize(
    ("custom", "can_run"), [("FlexErf", False), ("TFLite_Detection_PostProcess", True)]
)
def test_custom_operators(custom, can_run):
    operator = Operator("CUSTOM", (0,), (1,), custom_name=custom)
    model = read(write(Model((Graph(activations([(2,), (2,)]), (operator,), (0,), (1,)),))))
    (verdict,) = verdicts(model, LITERT)
    assert verdict.can_run is can_run
    assert can_run or "operator 0 is the custom operator 'FlexErf'" in verdict.reason


def dense(source, weights, output):
    data = bytes(weights.size_bytes(6))
    tensors = (
        Tensor("x", (1, 3), source),
        Tensor("w", (2, 3), weights, Quantization((1.0,), (0,)), data),
        Tensor("y", (1, 2), output),
    )
    operator = Operator("FULLY_CONNECTED", (0, 1), (2,), 4, FullyConnected())
    return read(write(Model((Graph(tensors, (operator,), (0,), (2,)),))))


@pytest.mark.parametrize(
    ("types", "kind"),
    [
        ((DType.INT8, DType.INT8, DType.INT8), "int8"),
        ((DType.UINT8, DType.UINT8, DType.UINT8), "uint8"),
        ((DType.INT16, DType.INT8, DType.INT16), "int16"),
        ((DType.FLOAT32, DType.FLOAT32, DType.FLOAT32), "float32"),
        ((DType.FLOAT32, DType.INT8, DType.FLOAT32), "dynamic-range"),
    ],
)
def test_the_kind_of_arithmetic_is_told_from_the_tensors(types, kind):
    model = dense(*types)
    assert arithmetic(model.main) == kind
    assert bool(warnings(model)) is (kind == "dynamic-range")


def test_a_dynamic_range_model_is_warned_of_and_kept_from_the_runtime_that_gets_it_wrong():
    model = dense(DType.FLOAT32, DType.INT8, DType.FLOAT32)
    assert verdicts(model, {"ai_edge_litert", "tflite_runtime"})[0].can_run
    (verdict,) = verdicts(model, {"tflite_runtime"})
    assert not verdict.can_run
    assert "static int8" in verdict.reason
    assert "warning" in text("m", report(model, (verdict,)))


def test_the_text_lists_what_the_tree_holds():
    model = conv_model()
    lines = text("small.tflite", report(model, verdicts(model, LITERT))).splitlines()
    assert lines[0] == "small.tflite: a test"
    assert "input   in  int8[1×4×4×2]  scale 0.5, zero point -3" in lines
    assert any(line.split()[:3] == ["0", "CONV_2D", "v3"] for line in lines)
    assert any(line.split() == ["MACs", "216"] for line in lines)


def test_names_from_the_file_cannot_steer_the_terminal():
    evil = with_tensor(conv_model(), 0, name="\x1b[2J\x07 \u202e" + "x" * 500)
    shown = text("m", report(evil, ()))
    assert all(c.isprintable() or c == "\n" for c in shown)
    assert max(map(len, shown.splitlines())) < 120
    assert printable("a\nb\x1b") == "a\\nb\\x1b"


@pytest.fixture
def files(tmp_path):
    data = write(conv_model())
    (tmp_path / "right.tflite").write_bytes(data)
    (tmp_path / "short.tflite").write_bytes(data[:-40])
    (tmp_path / "empty.tflite").write_bytes(b"")
    (tmp_path / "image.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    (tmp_path / "array.npy").write_bytes(b"\x93NUMPY\x01\x00" + bytes(64))
    lie = with_operator(conv_model(), 0, options=Conv2D(Padding.SAME, 1, 1))
    (tmp_path / "lie.tflite").write_bytes(write(lie))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing.tflite", "no such file; check the path"),
        (".", "is a folder; name the .tflite file in it"),
        ("short.tflite", "truncated or damaged"),
        ("empty.tflite", "the file is empty"),
        ("image.png", "this is a PNG image"),
        ("array.npy", "this is a numpy array"),
        ("lie.tflite", "operator 0 (CONV_2D): its output has shape [1, 2, 2, 3]"),
        ("right.tflite/x", "cannot be read: Not a directory"),
        ("a\0b", "embedded null"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_wrong_file_ends_in_one_line_and_exit_4(files, capsys, name, says):
    assert selvedge.main(["inspect", f"{files}/{name}"]) == 4
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert says in printed.err


def test_a_device_is_refused_without_reading_it(capsys):
    assert selvedge.main(["inspect", "/dev/zero", "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["exit_code"] == 4


def test_the_command_without_a_model_is_a_usage_error():
    with pytest.raises(SystemExit) as ended:
        selvedge.main(["inspect"])
    assert ended.value.code == 2


def test_the_command_prints_one_json_object(files, capsys):
    assert selvedge.main(["inspect", str(files / "right.tflite"), "--json"]) == 0
    tree = json.loads(capsys.readouterr().out)
    wanted = "operators tensors macs weight_bytes arena_bytes arena_lower_bound_bytes runtimes"
    assert set(wanted.split()) <= tree.keys()
    assert tree["bytes"] == (files / "right.tflite").stat().st_size
    assert len(tree["sha256"]) == 64


def test_the_reader_needs_no_numpy():
    # Small devices may read models too; numpy would cost them 15 MB.
    code = "import sys, toolchain.tflite.reader; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
