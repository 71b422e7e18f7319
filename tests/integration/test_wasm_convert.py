"""`selvedge convert` as a shell sees it."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.engine import engine_of
from tests.support.engine_cases import case
from tests.support.small_models import conv_model, with_operator
from tests.support.wasm_modules import Loaded, Wasmtime
from toolchain.convert.label import find
from toolchain.convert.sections import read
from toolchain.plan.decode import decode
from toolchain.plan.numbers import Rounding, Target
from toolchain.tflite.writer import write

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "selvedge.py"


def convert(*words):
    done = subprocess.run(
        [sys.executable, SCRIPT, "convert", *words], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "digits.tflite"
    path.write_bytes(case("conv", 1).model)
    return path


def test_a_module_and_a_plan_of_the_same_model(model, tmp_path):
    module, plan = tmp_path / "digits.wasm", tmp_path / "digits.plan"
    tree = json.loads(convert(model, module, "--json").stdout)
    assert convert(model, plan, "--target", "scalar").returncode == 0
    data = module.read_bytes()
    assert tree == {
        "file": str(module),
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "plan_sha256": hashlib.sha256(plan.read_bytes()).hexdigest(),
        "arena_bytes": decode(plan.read_bytes()).arena_bytes,
        "operators": 1,
        "rounding": "double",
        "target": "scalar",
    }
    assert find(read(data)).name == "digits"
    assert plan.read_bytes() in data
    assert Loaded(Wasmtime(data)).host.call("sv_invoke") == 0


def test_a_plan_is_for_engines_outside_wasm_unless_told(model, tmp_path):
    plan = tmp_path / "a.plan"
    assert json.loads(convert(model, plan, "--json").stdout)["target"] == "portable"
    assert decode(plan.read_bytes()).target is Target.PORTABLE
    told = convert(model, tmp_path / "a.wasm", "--target", "portable")
    assert (told.returncode, told.stderr.count("\n")) == (6, 1)
    assert "not for portable" in told.stderr


def test_single_rounding_is_in_the_plan_and_on_the_label(model, tmp_path):
    module, plan = tmp_path / "a.wasm", tmp_path / "a.plan"
    for output in (module, plan):
        assert convert(model, output, "--rounding", "single").returncode == 0
    assert decode(plan.read_bytes()).rounding is Rounding.SINGLE
    assert find(read(module.read_bytes())).rounding == "single"


def test_an_unsupported_operator_is_named_with_its_position(tmp_path):
    path, output = tmp_path / "a.tflite", tmp_path / "a.wasm"
    path.write_bytes(write(with_operator(conv_model(), 2, name="COS", options=None)))
    output.write_bytes(b"what was there")
    done = convert(path, output)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith(f"selvedge: {path}: operator 2 (COS): is not supported")
    assert done.stderr.count("\n") == 1
    assert output.read_bytes() == b"what was there"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.tflite", "a.wasm"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"\x89PNG\r\n\x1a\n", "not a TFLite model"), (case("conv", 1).model[:300], "outside")],
)
def test_what_is_no_model_is_refused(tmp_path, content, reason):
    path = tmp_path / "a.tflite"
    path.write_bytes(content)
    done = convert(path, tmp_path / "a.wasm")
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert reason in done.stderr


def test_an_output_of_another_kind_is_a_usage_error(model, tmp_path):
    done = convert(model, tmp_path / "a.bin")
    assert done.returncode == 2
    assert "must end in .wasm or .plan" in done.stderr


def test_a_folder_that_is_missing_is_said(model, tmp_path):
    done = convert(model, tmp_path / "absent" / "a.plan")
    assert (done.returncode, done.stderr.count("\n")) == (6, 1)
    assert "cannot be written: No such file or directory" in done.stderr


def test_the_example_of_the_how_to_gives_the_answer(model, tmp_path):
    text = (ROOT / "docs" / "how-to" / "convert.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    made, module, x = case("conv", 1), tmp_path / "a.wasm", tmp_path / "x.npy"
    np.save(x, made.inputs[0])
    convert(model, module)
    (expected,) = engine_of(made.model).run(made.inputs)
    command = [sys.executable, "-c", program, module, x, str(expected.size)]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert told.stdout == f"{expected.ravel()}\n"
