"""`selvedge compare` finds the tensor that differs, and no other."""

import json
import struct
from dataclasses import replace

import numpy as np
import pytest

import selvedge
from tests.support.engine import MODEL_NAMES, MODELS, engine_of
from tests.support.engine_cases import case, surrounded
from tests.support.small_models import conv_model
from toolchain.compare import cli
from toolchain.compare.adapters import runner
from toolchain.compare.inputs import random_inputs
from toolchain.compare.reveal import reveal
from toolchain.convert.convert import to_plan
from toolchain.lowering.settings import Settings
from toolchain.plan.decode import decode
from toolchain.plan.encode import encode
from toolchain.plan.numbers import Rounding
from toolchain.tflite.reader import read
from toolchain.tflite.writer import write


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "a model.tflite"
    path.write_bytes(write(conv_model()))
    return path


@pytest.fixture
def compare(capfd):
    def compare(model, runtimes, *words):
        code = selvedge.main(["compare", str(model), "--runtimes", runtimes, "--json", *words])
        printed = capfd.readouterr()
        return code, json.loads(printed.out), printed.err

    return compare


def published(name):
    path = MODELS / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"{MODELS} is not there: the MLPerf Tiny models lie beside the project")
    return path


@pytest.mark.parametrize("runtimes", ["host,wasm3", "wasmtime,wasmtime:simd", "tflite,host:single"])
@pytest.mark.parametrize("name", MODEL_NAMES)
def test_equal_runtimes_are_equal_in_every_layer(compare, name, runtimes):
    code, tree, _ = compare(published(name), runtimes)
    assert (code, tree["equal"], tree["first_difference"]) == (0, True, None)
    assert len(tree["layers"]) == len(read(published(name).read_bytes()).main.operators)
    assert {row["differing"] for row in tree["layers"]} == {0}
    assert min(row["values"] for row in tree["layers"]) > 0


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_two_roundings_differ_where_the_engine_itself_says(compare, name):
    code, tree, _ = compare(published(name), "host,host:single", "--seed", "3")
    revealed, layers = reveal(read(published(name).read_bytes()))
    inputs = list(random_inputs(revealed.main, 3).values())
    double, single = (
        engine_of(write(revealed), Settings(rounding)).run(inputs) for rounding in Rounding
    )
    counts = [int((a != b).sum()) for a, b in zip(double, single, strict=True)]
    assert [row["differing"] for row in tree["layers"]] == counts
    first = next(place for place, count in enumerate(counts) if count)
    assert code == 1
    assert tree["first_difference"]["tensor"] == layers[first].tensor


def corrupted(plan, operator):
    """The plan with one bias of an operator made large, and its checksums right."""
    found = decode(plan)
    at = found.operators[operator].parameters.stage.bias
    constants = bytearray(found.constants)
    struct.pack_into("<i", constants, at, 1 << 20)
    return encode(replace(found, constants=bytes(constants)))


@pytest.mark.parametrize("runtimes", ["host,host", "wasm3,wasmtime"])
@pytest.mark.parametrize("operator", [0, 5, 8])
def test_one_wrong_bias_is_found_in_its_layer(compare, monkeypatch, operator, runtimes):
    path = published("kws_ref_model")
    sides = []

    def second_is_wrong(data, choices):
        sides.append(choices)
        plan = to_plan(data, choices)
        return corrupted(plan, operator) if len(sides) == 2 else plan

    monkeypatch.setattr(cli, "to_plan", second_is_wrong)
    code, tree, _ = compare(path, runtimes)
    first = tree["first_difference"]
    assert (code, first["operator"]) == (1, operator)
    assert first["tensor"] == read(path.read_bytes()).main.operators[operator].outputs[0]
    assert first["first"]["position"][-1] == 0  # the channel
    positions = np.prod(first["shape"][:-1])
    assert 0 < first["differing"] <= positions
    assert [row["differing"] for row in tree["layers"][:operator]] == [0] * operator


def test_nothing_is_folded_out_of_sight(compare, tmp_path):
    path = tmp_path / "surrounded.tflite"
    path.write_bytes(surrounded(case("conv", 1), 1).model)
    operators = [one.name for one in read(path.read_bytes()).main.operators]
    assert len(operators) > 1
    code, tree, _ = compare(path, "tflite:reference,host")
    assert code == 0
    assert [row["operator_name"] for row in tree["layers"]] == operators


def test_an_input_may_be_brought(compare, model, tmp_path):
    values = np.arange(32, dtype=np.int8).reshape(1, 4, 4, 2)
    np.save(tmp_path / "x.npy", values)
    code, tree, _ = compare(model, "tflite:reference,host", "--input", str(tmp_path / "x.npy"))
    assert (code, tree["seed"]) == (0, None)
    np.save(tmp_path / "x.npy", values[0])
    code, _, said = compare(model, "tflite,host", "--input", str(tmp_path / "x.npy"))
    assert code == 4
    assert said.count("\n") == 1
    assert "tflite: input" in said


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("tflite,foo",), 2, "'foo' is not tflite"),
        (("tflite",), 2, "name two"),
        (("tflite,host", "--tolerance", "-1"), 2, "is not a number from 0"),
        (("tflite,host", "--seed", "x"), 2, "is not a number from 0 on"),
        (("tflite,host", "--deadline", "nan"), 2, "is not a number from 0.001"),
    ],
)
def test_what_is_refused_is_refused_in_one_line(capsys, model, words, code, says):
    try:
        found = selvedge.main(["compare", str(model), "--runtimes", *words])
    except SystemExit as error:  # argparse's own refusals
        found = error.code
    assert found == code
    assert says in capsys.readouterr().err


def test_an_operator_that_the_engine_lacks_is_named(compare, tmp_path):
    graph = conv_model().main
    operators = (*graph.operators[:-1], replace(graph.operators[-1], name="COS", options=None))
    path = tmp_path / "cos.tflite"
    path.write_bytes(write(replace(conv_model(), graphs=(replace(graph, operators=operators),))))
    code, _, said = compare(path, "host,tflite")
    assert code == 4
    assert "operator 2 (COS): is not supported by the engine" in said


@pytest.mark.parametrize(
    ("script", "status", "says"),
    [
        ("kill -SEGV $$", 4, "host: ended with -11"),
        ("exit 1", 4, "host: ended with 1"),
        ("echo selvedge: no engine >&2; exit 6", 6, "host: no engine"),
        ("echo }", 4, "host: its answer cannot be read"),
    ],
)
def test_a_runtime_that_fails_is_one_line(compare, model, monkeypatch, script, status, says):
    program = model.with_name("python")
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(runner.sys, "executable", str(program))
    code, _, said = compare(model, "host,host")
    assert code == status
    assert said.count("\n") == 1
    assert says in said
