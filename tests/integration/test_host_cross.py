"""The libraries for other machines: they need nothing, and give the reference's bytes."""

import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.host import cross
from tests.support import engine as host
from tests.support.engine_cases import FAMILIES, case

ELF_MACHINES = {"x86_64": "X86-64", "aarch64": "AArch64", "armv7l": "ARM"}
API = {"check", "run", "step", "input", "output", "tensor", "data"}


def readelf(option, path):
    return subprocess.run(
        ["readelf", "-W", option, path], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("machine", cross.MACHINES)
def test_a_library_is_for_its_machine_and_needs_no_other(machine):
    path = cross.build(machine)
    assert path.name == f"libselvedge-{machine}.so"
    assert re.search(rf"Machine:.*{ELF_MACHINES[machine]}$", readelf("-h", path), re.MULTILINE)
    assert "NEEDED" not in readelf("-d", path)
    symbols = readelf("--dyn-syms", path)
    assert re.findall(r"UND (\S+)", symbols) == []
    assert {f"sv_plan_{name}" for name in API} <= set(re.findall(r"FUNC .* (sv_plan_\w+)", symbols))


def test_two_builds_in_two_places_give_equal_bytes(tmp_path):
    shutil.copytree(cross.ENGINE, tmp_path / "elsewhere" / "engine")
    command = [sys.executable, "-m", "engine.host.cross", "armv7l"]
    told = subprocess.run(
        command, cwd=tmp_path / "elsewhere", capture_output=True, text=True, check=True
    )
    second = Path(told.stdout.strip())
    assert second.is_relative_to(tmp_path / "elsewhere" / ".cache")
    assert second.read_bytes() == cross.build("armv7l").read_bytes()


@pytest.fixture
def cross_built(monkeypatch):
    """The support's engine, with the library that the wheel carries for this machine."""
    monkeypatch.setattr(host, "build", lambda _: cross.build(platform.machine()))
    host.library.cache_clear()
    yield
    host.library.cache_clear()


@pytest.mark.skipif(platform.machine() not in cross.MACHINES, reason="no library for this machine")
@pytest.mark.parametrize("family", FAMILIES)
def test_it_gives_the_bytes_of_tflite_micro(cross_built, family):
    for seed in range(8):
        one = case(family, seed)
        mine = host.engine_of(one.model).run(one.inputs)
        assert host.difference(mine, host.Micro(one.model).run(one.inputs)) == 0
    assert host.library()._name.endswith(f"libselvedge-{platform.machine()}.so")


def test_a_machine_without_a_library_is_named():
    told = subprocess.run(
        [sys.executable, "-m", "engine.host.cross", "vax"],
        cwd=cross.ENGINE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 1
    assert told.stderr == "no library for 'vax'; known: x86_64, aarch64, armv7l\n"
