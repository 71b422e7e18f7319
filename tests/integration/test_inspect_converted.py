"""The account of plans and modules, and which runtimes can run what."""

import json
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest

import selvedge
from tests.support.engine import MODELS
from tests.support.engine_cases import FAMILIES, case
from tests.support.small_models import conv_model
from tests.support.wasm_modules import module_of
from toolchain.convert.convert import Choices, to_plan
from toolchain.errors import ModelRefused
from toolchain.inspect.converted import live_bytes, report, text
from toolchain.inspect.engine_runtimes import LIBRARIES, of_file, of_model
from toolchain.plan.decode import decode
from toolchain.plan.numbers import Target
from toolchain.tflite.reader import read
from toolchain.tflite.writer import write

PORTABLE = Choices(target="portable")
MODEL = write(conv_model())
PUBLISHED = {
    "ad01_int8": 768,
    "kws_ref_model": 16_000,
    "pretrainedResnet_quant": 49_152,
    "vww_96_int8": 55_296,
}


def told(verdicts):
    return {one.runtime: (one.can_run, one.reason) for one in verdicts}


def test_a_model_that_the_engine_knows_runs_everywhere_it_is_installed():
    found = told(of_model(conv_model(), {"wasmtime"}))
    assert [found[name][0] for name in ("wasmtime", "wasm3", "host")] == [True, False, True]
    assert "pip install pywasm3==0.5.0" in found["wasm3"][1]


def test_an_operator_that_the_engine_lacks_is_named_with_its_position():
    model = read(case("conv", 0).model)
    odd = replace(model.main.operators[0], name="COS", options=None)
    odd = replace(odd, inputs=odd.inputs[:1])
    changed = replace(model, graphs=(replace(model.main, operators=(odd,)),))
    for can_run, reason in told(of_model(changed, LIBRARIES)).values():
        assert not can_run
        assert reason.startswith("operator 0 (COS): is not supported by the engine")


@pytest.mark.parametrize(
    ("suffix", "target", "runs"),
    [
        ("plan", Target.PORTABLE, {"host"}),
        ("plan", Target.SWAR, set()),
        ("wasm", Target.SWAR, {"wasm3", "wasmtime"}),
        ("wasm", Target.SIMD128, {"wasmtime"}),
    ],
)
def test_a_file_runs_where_it_was_made_for(suffix, target, runs):
    found = told(of_file(suffix, target, 1024, LIBRARIES))
    assert {name for name, (can_run, _) in found.items() if can_run} == runs
    assert all(reason for _, reason in found.values())
    large = told(of_file(suffix, target, 1 << 30, LIBRARIES))
    assert not any(can_run for can_run, _ in large.values())
    assert all("1,073,741,824 bytes" in large[name][1] for name in runs)


def test_a_module_shows_its_label_and_the_plan_in_it(tmp_path, capsys):
    plan = to_plan(MODEL, Choices())
    (tmp_path / "any name").write_bytes(module_of(MODEL))
    assert selvedge.main(["inspect", str(tmp_path / "any name"), "--json"]) == 0
    tree = json.loads(capsys.readouterr().out)
    again = report(plan, "plan", LIBRARIES)
    for key in ("operators", "tensors", "plan_sha256", "arena_bytes", "rounding", "target"):
        assert tree[key] == again[key]
    assert tree["label"]["plan_sha256"] == tree["plan_sha256"]
    assert (tree["rounding"], tree["target"], again["label"]) == ("double", "swar", None)
    assert selvedge.main(["inspect", str(tmp_path / "any name")]) == 0
    assert "module of 'a model', rounding double, target swar" in capsys.readouterr().out


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_plan_has_an_account(family):
    for seed in range(4):
        one = case(family, seed)
        data = to_plan(one.model, PORTABLE)
        tree = report(data, "plan", ())
        plan = decode(data)
        held = sum(t.size_bytes for t in plan.tensors if t.place == 0)
        assert 0 < tree["arena_lower_bound_bytes"] <= plan.arena_bytes
        assert tree["arena_lower_bound_bytes"] <= held + max(
            operator.scratch_bytes for operator in plan.operators
        )
        assert [row["shape"] for row in tree["tensors"]] == [list(t.shape) for t in plan.tensors]
        json.dumps(tree, allow_nan=False)
        assert text("x", tree).count("\n") >= len(plan.operators) + 8


def test_memory_that_is_shared_counts_once():
    plan = decode(to_plan(MODEL, PORTABLE))
    tensor = plan.tensors[plan.inputs[0]]
    a, b, c = (
        replace(tensor, shape=(size,), offset=at) for size, at in ((16, 0), (16, 0), (32, 16))
    )
    one = replace(plan.operators[0], inputs=(0,), outputs=(1,), scratch=64, scratch_bytes=8)
    two = replace(one, inputs=(1,), outputs=(2,), scratch_bytes=0)
    small = replace(plan, tensors=(a, b, c), operators=(one, two), inputs=(0,), outputs=(2,))
    assert live_bytes(small) == 16 + 32
    assert live_bytes(replace(small, operators=(replace(one, scratch_bytes=100), two))) == 116


@pytest.mark.parametrize(("name", "arena_bytes"), PUBLISHED.items())
def test_published_models_use_the_whole_of_their_arena(name, arena_bytes):
    path = MODELS / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"{MODELS} is not there: the MLPerf Tiny models lie beside the project")
    tree = report(to_plan(path.read_bytes(), PORTABLE), "plan", LIBRARIES)
    assert tree["arena_bytes"] <= arena_bytes
    assert tree["arena_lower_bound_bytes"] <= tree["arena_bytes"]


def test_a_module_whose_plan_was_changed_is_refused():
    module = bytearray(module_of(MODEL))
    at = module.rfind(b"SVPL")
    module[at + 200] ^= 1
    with pytest.raises(ModelRefused, match="no plan that its label names"):
        report(bytes(module), "wasm", LIBRARIES)


def test_damaged_plans_have_an_account_or_one_line():
    rng = np.random.default_rng(5)
    good = to_plan(MODEL, PORTABLE)
    lines = []
    for _ in range(1500):
        data = bytearray(good)
        for at in rng.integers(16, len(data) if rng.random() < 0.5 else 300, rng.integers(1, 4)):
            data[at] = rng.integers(256)
        struct.pack_into("<I", data, 12, zlib.crc32(data[16:]))
        try:
            text("x", report(bytes(data), "plan", LIBRARIES))
        except ModelRefused as error:
            lines.append(str(error))
    assert 0 < len(lines) < 1500
    assert not any("\n" in line for line in lines)
