"""The prebuilt engine: equal bytes from two builds, and one line where it cannot be had."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import selvedge
from engine.wasm import build as builder
from tests.support.engine_cases import case
from tests.support.wasm_modules import prebuilt
from toolchain.convert.adapters import prebuilt_engine
from toolchain.convert.contents import read_globals, read_memory
from toolchain.convert.sections import Kind, read
from toolchain.errors import UnavailableError

WITHOUT_ZIGLANG = """
import importlib.metadata as metadata
found = metadata.version
def version(name):
    if name == "ziglang":
        raise metadata.PackageNotFoundError(name)
    return found(name)
metadata.version = version
"""


def test_two_builds_in_two_places_give_equal_bytes(tmp_path):
    shutil.copytree(builder.ENGINE, tmp_path / "elsewhere" / "engine")
    first = builder.build(cache=tmp_path / "first").read_bytes()
    program = tmp_path / "elsewhere" / "engine" / "wasm" / "build.py"
    second = run(program)
    assert second.is_relative_to(tmp_path / "elsewhere" / ".cache")
    assert second.read_bytes() == first == prebuilt()


def run(program):
    told = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
    return Path(told.stdout.strip())


def test_the_engine_holds_no_path_and_no_name():
    engine = prebuilt()
    assert str(builder.ENGINE).encode() not in engine
    assert [section for section in read(engine) if section.kind is Kind.CUSTOM] == []


def test_the_engine_needs_one_page_and_little_stack():
    parts = {section.kind: section.payload for section in read(prebuilt())}
    assert read_memory(parts[Kind.MEMORY]).minimum == 1
    stack_end, *kernels, heap_base = read_globals(parts[Kind.GLOBAL])
    assert all(stack_end <= place < heap_base for place in kernels)
    assert stack_end == builder.STACK_BYTES <= 16 * 1024
    assert stack_end < heap_base < stack_end + 4096  # the stack lies below all data


@pytest.fixture
def tree_without_compiler(tmp_path, monkeypatch):
    """A source tree with an empty cache, where `ziglang` is not installed."""
    shutil.copytree(builder.ENGINE, tmp_path / "engine")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(WITHOUT_ZIGLANG)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setattr(prebuilt_engine, "BUILDER", tmp_path / "engine" / "wasm" / "build.py")
    return tmp_path


def test_without_a_compiler_convert_ends_in_one_line(tree_without_compiler, capsys):
    model, output = tree_without_compiler / "a.tflite", tree_without_compiler / "a.wasm"
    model.write_bytes(case("conv", 0).model)
    assert selvedge.main(["convert", str(model), str(output)]) == 6
    assert capsys.readouterr().err == (
        "selvedge: no prebuilt engine 'scalar': ziglang is not installed; "
        f"the engine is built with: pip install ziglang=={builder.ZIGLANG}\n"
    )
    assert not output.exists()


def test_a_plan_needs_no_engine(tree_without_compiler):
    model, output = tree_without_compiler / "a.tflite", tree_without_compiler / "a.plan"
    model.write_bytes(case("conv", 0).model)
    assert selvedge.main(["convert", str(model), str(output)]) == 0
    assert output.read_bytes()[:4] == b"SVPL"


def test_an_engine_in_the_cache_needs_no_compiler(tree_without_compiler):
    made = builder.build()
    cache = tree_without_compiler / ".cache" / "engine" / made.parent.name
    cache.mkdir(parents=True)
    shutil.copy(made, cache)
    assert prebuilt_engine.load("scalar") == made.read_bytes()


def test_another_version_of_the_compiler_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(builder, "version", lambda _: "0.1")
    with pytest.raises(builder.BuildError, match=r"ziglang is 0\.1; .* pip install ziglang=="):
        builder.build(cache=tmp_path)


def test_sources_that_do_not_compile_are_refused_in_one_line(tmp_path, monkeypatch):
    tree = tmp_path / "engine"
    shutil.copytree(builder.ENGINE, tree)
    (tree / "wasm" / "memory.c").write_text("int")
    monkeypatch.setattr(builder, "ENGINE", tree)
    with pytest.raises(builder.BuildError, match=r"refused the engine: .*error") as told:
        builder.build(cache=tmp_path)
    assert "\n" not in str(told.value)


def test_where_there_are_no_sources_the_wheels_engine_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(prebuilt_engine, "BUILDER", tmp_path / "absent.py")
    monkeypatch.setattr(prebuilt_engine, "CARRIED", tmp_path)
    with pytest.raises(UnavailableError, match="install a wheel that carries it"):
        prebuilt_engine.load("scalar")
    (tmp_path / "scalar.wasm").write_bytes(prebuilt())
    assert prebuilt_engine.load("scalar") == prebuilt()
