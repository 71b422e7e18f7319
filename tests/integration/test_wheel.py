"""The wheel: the engines are in it, equal wherever it is made, and nothing else is needed."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

import selvedge as front_door
from broker.contract.shape import to_tree
from engine.host import cross
from engine.wasm import build as wasm
from tests.support.engine import Micro
from tests.support.engine_cases import case
from tests.support.networks import HEAD
from tests.support.trainers import module_of

ROOT = Path(__file__).resolve().parents[2]
HOOK = (
    "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"
)
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
OURS = ("ziglang", "selvedge", "__editable__", "pip", "setuptools")
TARGETS = sorted(f"toolchain/convert/engines/{target}.wasm" for target in wasm.ENGINES)
LIBRARIES = sorted(f"agent/runtime/engines/libselvedge-{name}.so" for name in cross.MACHINES)

IMAGES = [f"firmware_bridge/images/mps2-an386{kind}.elf" for kind in ("-counting", "")]


def output_of(command, **settings):
    told = subprocess.run(command, capture_output=True, text=True, check=False, **settings)
    assert told.returncode == 0, told.stderr[-2000:]
    return told.stdout


class Builder:
    """Calls build hooks as a frontend does, with the build requirements and nothing more."""

    def __init__(self, folder):
        self.folder = folder / "requirements"
        output_of([*PIP, "--no-deps", "--target", self.folder, "setuptools>=77"])

    def __call__(self, hook, tree, output):
        output.mkdir(exist_ok=True)
        environment = os.environ | {
            "PYTHONPATH": str(self.folder),
            "SOURCE_DATE_EPOCH": "1" * 9,
            "ZIG_GLOBAL_CACHE_DIR": str(wasm.CACHE / "zig"),  # no engine is in there
        }
        output_of([sys.executable, "-c", HOOK, hook, output], cwd=tree, env=environment)
        return next(output.iterdir())


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    return Builder(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """What a fresh clone holds; of the engines only those that test_host_cross makes twice."""
    tree = tmp_path_factory.mktemp("clone") / "tree"
    known = output_of(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT).splitlines()
    for name in filter(lambda name: (ROOT / name).is_file(), known):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name)
    share_libraries(tree)
    return tree


def share_libraries(tree):
    for made in map(cross.build, cross.MACHINES):
        there = tree / ".cache" / "engine" / made.parent.name
        there.mkdir(parents=True)
        shutil.copy(made, there)


@pytest.fixture(scope="module")
def editable(build, tree, tmp_path_factory):
    """The tree after an editable install, which comes before the wheel and fills its cache."""
    build("build_editable", tree, tmp_path_factory.mktemp("editable"))
    return tree


@pytest.fixture(scope="module")
def wheel(build, editable, tmp_path_factory):
    return build("build_wheel", editable, tmp_path_factory.mktemp("wheel"))


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_an_editable_install_fills_the_cache_of_its_tree(editable):
    cached = {path.name for path in (editable / ".cache" / "engine").glob("*/*")}
    assert {f"{target}.wasm" for target in wasm.ENGINES} <= cached
    assert not (editable / "toolchain" / "convert" / "engines").exists()


def test_the_wheel_carries_every_engine_and_no_source_of_it(wheel):
    names = contents(wheel)
    assert sorted(name for name in names if name.startswith("firmware_bridge/images/")) == IMAGES
    assert [name for name in names if name.startswith("firmware_bridge/firmware/")] == []
    assert sorted(name for name in names if "/engines/" in name) == LIBRARIES + TARGETS
    assert [name for name in names if name.startswith(("engine/", "tests/", "setup"))] == []
    assert "toolchain/convert/cli.py" in names


def test_a_source_distribution_in_another_folder_makes_the_same_wheel(build, tree, wheel, tmp_path):
    made = build("build_sdist", tree, tmp_path / "sdist")
    with tarfile.open(made) as archive:
        archive.extractall(tmp_path / "elsewhere", filter="data")
    unpacked = next((tmp_path / "elsewhere").iterdir())
    share_libraries(unpacked)
    again = build("build_wheel", unpacked, tmp_path / "wheel")
    first, second = contents(wheel), contents(again)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
    assert again.read_bytes() == wheel.read_bytes()


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The command, installed from the wheel where no compiler is."""
    folder = tmp_path_factory.mktemp("machine")
    output_of([sys.executable, "-m", "venv", "--without-pip", folder / "venv"])
    python = folder / "venv" / "bin" / "python"
    output_of([*PIP[:3], "--python", python, *PIP[3:], "--no-deps", wheel])
    here = Path(np.__file__).parents[1]
    there = Path(
        output_of([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip()
    )
    for path in here.iterdir():
        if not path.name.startswith(OURS) and not (there / path.name).exists():
            (there / path.name).symlink_to(path)
    found = (
        "import importlib.util as u; print(u.find_spec('ziglang'), u.find_spec('toolchain').origin)"
    )
    absent, origin = output_of([python, "-c", found], cwd=folder).split()
    assert absent == "None"
    assert Path(origin).is_relative_to(there)
    return python.with_name("selvedge")


def test_it_converts_inspects_and_infers_without_a_compiler(installed, tmp_path):
    one = case("conv", 0)
    (tmp_path / "a model.tflite").write_bytes(one.model)

    def selvedge(*words):
        environment = {"PATH": "/nonexistent", "HOME": str(tmp_path)}
        return json.loads(output_of([installed, *words, "--json"], cwd=tmp_path, env=environment))

    account = selvedge("inspect", "a model.tflite")
    assert account["operators"][0]["name"] == "CONV_2D"
    for target in wasm.TARGETS:
        selvedge("convert", "a model.tflite", "out.wasm", "--target", target)
        words = (str(tmp_path / "a model.tflite"), str(tmp_path / "here.wasm"), "--target", target)
        assert front_door.main(["convert", *words]) == 0
        assert (tmp_path / "out.wasm").read_bytes() == (tmp_path / "here.wasm").read_bytes()
    (tmp_path / "head.json").write_text(json.dumps(to_tree(HEAD)))
    told = selvedge("trainer", "head.json", "head.wasm", "--target", "simd")
    assert told["sha256"] == hashlib.sha256(module_of(HEAD, "simd", "head")).hexdigest()
    np.save(tmp_path / "x.npy", one.inputs[0])
    selvedge("convert", "a model.tflite", "out.plan")
    selvedge("convert", "a model.tflite", "out.wasm")
    [expected] = Micro(one.model).run(one.inputs)
    for name, runtime in (("out.plan", "host"), ("out.wasm", "wasmtime"), ("out.wasm", "wasm3")):
        words = ("--runtime", runtime, "--input", "x.npy", "--output", "y.npy")
        assert selvedge("infer", name, *words)["runtime"] == runtime
        assert (np.load(tmp_path / "y.npy") == expected).all()


def test_it_emulates_a_board_without_a_compiler(installed, tmp_path):
    one = case("conv", 0)
    (tmp_path / "conv.tflite").write_bytes(one.model)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "qemu-system-arm").symlink_to(shutil.which("qemu-system-arm"))
    environment = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}
    for words in (["load"], ["bench"]):
        command = [installed, "mcu", *words, "conv.tflite", "--emulate", "--json"]
        assert (
            json.loads(output_of(command, cwd=tmp_path, env=environment))["board"] == "mps2-an386"
        )
    images = next(installed.parents[1].glob("lib/*/site-packages/firmware_bridge/images"))
    images.rename(tmp_path / "images")
    command = [installed, "mcu", "info", "--emulate"]
    settings = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
    try:
        told = subprocess.run(command, check=False, **settings)
        given = [*command, "--image", str(tmp_path / "images" / "mps2-an386.elf"), "--json"]
        assert json.loads(output_of(given, cwd=tmp_path, env=environment))["board"] == "mps2-an386"
    finally:
        (tmp_path / "images").rename(images)
    assert told.returncode == 6
    assert "name one with --image FILE" in told.stderr
    assert told.stderr.count("\n") == 1


def test_an_installation_without_engines_says_what_to_do(installed, tmp_path):
    (tmp_path / "conv.tflite").write_bytes(case("conv", 0).model)
    engine = next(
        installed.parents[1].glob("lib/*/site-packages/toolchain/convert/engines/scalar.wasm")
    )
    engine.rename(tmp_path / engine.name)
    try:
        told = subprocess.run(
            [installed, "convert", "conv.tflite", "conv.wasm"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        (tmp_path / engine.name).rename(engine)
    assert told.returncode == 6
    assert told.stderr.startswith("selvedge: no prebuilt engine 'scalar': ")
    assert told.stderr.endswith("; install a wheel that carries it, or convert in a source tree\n")
