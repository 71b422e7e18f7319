"""The libraries for other machines: they need nothing, and give the reference's bytes."""

import platform
import re
import subprocess
import sys

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


@pytest.fixture
def cross_built(monkeypatch):
    """The support's engine, with the library that the wheel carries for this machine."""
    monkeypatch.setattr(host, "build", lambda: cross.build(platform.machine()))
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
