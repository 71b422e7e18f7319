"""`selvedge infer`: one object on stdout, one line on stderr, and the exit codes of the design."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import selvedge
from tests.integration.test_runtime_tflite import file_of, shared, two_by_two

ROOT = Path(__file__).resolve().parents[2]
VWW = shared("vww_96_int8")


@pytest.fixture
def picture(tmp_path) -> str:
    pixels = np.random.default_rng(0).integers(-128, 128, (1, 96, 96, 3), dtype=np.int8)
    np.save(tmp_path / "picture.npy", pixels)
    return str(tmp_path / "picture.npy")


def infer(capsys, *words: str) -> tuple[int, dict, str]:
    code = selvedge.main(["infer", *words, "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


def test_the_script_prints_one_json_object_and_nothing_else(picture):
    told = subprocess.run(
        [sys.executable, "selvedge.py", "infer", VWW, "--input", picture, "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    tree = json.loads(told.stdout)
    assert tree["runtime"] == "tflite"
    assert tree["latency_ms"] > 0
    assert tree["outputs"] == [
        {
            "name": "Identity_int8",
            "shape": [1, 2],
            "dtype": "int8",
            "file": None,
            "values": [[121, -121]],
        }
    ]
    assert told.stderr == ""


def test_outputs_go_to_a_file_in_the_models_dtype(capsys, picture, tmp_path):
    output = str(tmp_path / "y.npy")
    code, tree, _ = infer(capsys, VWW, "--input", picture, "--output", output)
    assert (code, tree["outputs"][0]["file"]) == (0, output)
    array = np.load(output, allow_pickle=False)
    assert (array.dtype, array.tolist()) == (np.int8, [[121, -121]])
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_dequantize_gives_real_values(capsys, picture):
    _, tree, _ = infer(capsys, VWW, "--input", picture, "--dequantize")
    assert tree["outputs"][0]["dtype"] == "float32"
    assert tree["outputs"][0]["values"] == [[(121 + 128) / 256, (-121 + 128) / 256]]


def test_floats_are_quantized_on_demand(capsys, picture, tmp_path):
    floats = str(tmp_path / "floats.npy")
    np.save(floats, (np.load(picture).astype(np.float32) + 128) * np.float32(1 / 255))
    code, _, err = infer(capsys, VWW, "--input", floats)
    assert code == 4
    assert "wants input_1_int8 int8 [1, 96, 96, 3], got float32 [1, 96, 96, 3]" in err
    assert "--quantize" in err
    code, tree, _ = infer(capsys, VWW, "--input", floats, "--quantize")
    assert (code, tree["outputs"][0]["values"]) == (0, [[121, -121]])


def test_several_inputs_and_outputs_travel_as_npz(capsys, tmp_path):
    model, given, output = file_of(two_by_two(), tmp_path), tmp_path / "x.npz", tmp_path / "y.npz"
    np.savez(given, t1=np.full((1, 2), 10, np.float32), t0=np.array([[1, 2]], np.float32))
    code, tree, _ = infer(capsys, model, "--input", str(given), "--output", str(output))
    assert code == 0
    assert [each["name"] for each in tree["outputs"]] == ["t2", "t3"]
    with np.load(output) as arrays:
        assert {name: arrays[name].tolist() for name in arrays} == {
            "t2": [[11, 12]],
            "t3": [1, 2],
        }
    code, _, err = infer(capsys, model, "--input", str(given), "--output", str(tmp_path / "y.npy"))
    assert (code, "in .npz" in err) == (4, True)


def claims_2_gb() -> bytes:
    text = b"{'descr': '|i1', 'fortran_order': False, 'shape': (1, 2147483647)}"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + b"\0" * 64


@pytest.mark.parametrize(
    ("content", "code", "text"),
    [
        (None, 6, "cannot be read: No such file or directory"),
        (b"", 4, "is not an array"),
        (b"not an array", 4, "is not an array"),
        (claims_2_gb(), 4, "claims 2147483647 bytes of numbers and holds 64"),
        (b"PK\3\4broken", 4, "is not a .npz file"),
    ],
)
def test_a_bad_input_file_is_one_line(capsys, tmp_path, content, code, text):
    path = tmp_path / "x.npy"
    if content is not None:
        path.write_bytes(content)
    got, tree, err = infer(capsys, VWW, "--input", str(path))
    assert (got, tree["exit_code"]) == (code, code)
    assert text in err
    assert str(path) in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["/nowhere/m.tflite"], 4, "cannot be read"),
        ([str(ROOT / "pyproject.toml")], 4, "is not a TFLite model"),
        ([VWW, "--delegate", "/nowhere.so"], 6, "delegate /nowhere.so"),
        ([VWW, "--deadline", "0.05"], 4, "gave no answer"),
        ([VWW, "--output", "/nowhere/y.npy"], 6, "cannot be written"),
    ],
)
def test_every_refusal_is_one_line_with_its_exit_code(capsys, picture, words, code, text):
    got, _, err = infer(capsys, *words, "--input", picture)
    assert got == code
    assert text in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ["--threads", "0"],
        ["--threads", "many"],
        ["--runtime", "wasm"],
        ["--output", "y.txt"],
        ["--deadline", "-1"],
        ["--deadline", "nan"],
    ],
)
def test_wrong_usage_ends_with_2(words, picture):
    with pytest.raises(SystemExit) as end:
        selvedge.main(["infer", VWW, "--input", picture, *words])
    assert end.value.code == 2


def test_people_read_a_summary(capsys, picture):
    assert selvedge.main(["infer", VWW, "--input", picture]) == 0
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("tflite (")
    assert second == "Identity_int8 int8 [1, 2]"
    assert third.strip() == "[[121, -121]]"
