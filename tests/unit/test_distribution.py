"""Bare import names are safe only because of these guards."""

import importlib
import importlib.util
import tomllib
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import selvedge
from engine.wasm.build import ZIGLANG

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("agent", "broker", "firmware_bridge", "toolchain", "selvedge")
C_SOURCES = ROOT / "firmware_bridge" / "firmware"
"""Like `engine`: C and the script that builds it, no package."""
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PYPROJECT["tool"]["setuptools"]


def packages_on_disk() -> set[str]:
    markers = [path for name in NAMES for path in (ROOT / name).rglob("__init__.py")]
    return {".".join(path.parent.relative_to(ROOT).parts) for path in markers}


def test_pyproject_lists_exactly_the_packages_on_disk() -> None:
    assert set(SETUPTOOLS["packages"]) == packages_on_disk()
    assert len(SETUPTOOLS["packages"]) == len(set(SETUPTOOLS["packages"]))


def test_no_source_lies_outside_a_package() -> None:
    known = packages_on_disk()
    stray = [
        str(path.relative_to(ROOT))
        for name in NAMES
        for path in (ROOT / name).rglob("*.py")
        if ".".join(path.parent.relative_to(ROOT).parts) not in known
        and not path.is_relative_to(C_SOURCES)
    ]
    assert stray == []


def test_files_that_are_not_python_ship_too() -> None:
    globs = SETUPTOOLS.get("package-data", {})
    left_behind = []
    for package in SETUPTOOLS["packages"]:
        for path in (ROOT / package.replace(".", "/")).iterdir():
            patterns = [*globs.get("*", []), *globs.get(package, [])]
            ships = path.suffix == ".py" or any(fnmatch(path.name, glob) for glob in patterns)
            if path.is_file() and not ships:
                left_behind.append(str(path.relative_to(ROOT)))
    assert left_behind == []


def test_one_version_of_the_engines_compiler_is_named_everywhere() -> None:
    compiler = f"ziglang=={ZIGLANG}"
    assert compiler in PYPROJECT["build-system"]["requires"]
    assert compiler in PYPROJECT["project"]["optional-dependencies"]["dev"]


def test_no_other_distribution_owns_our_names() -> None:
    owners = packages_distributions()
    foreign = {name: set(owners.get(name, [])) - {"selvedge"} for name in NAMES}
    assert not any(foreign.values()), foreign


@pytest.mark.parametrize(
    "name", sorted({name.partition(".")[0] for name in packages_on_disk()} | {"selvedge"})
)
def test_our_names_come_from_our_tree(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).is_relative_to(ROOT)


@pytest.mark.parametrize("command", selvedge.COMMANDS)
def test_every_command_can_be_configured_and_run(command: str) -> None:
    module = importlib.import_module(selvedge.COMMANDS[command][0])
    assert callable(module.configure)
    assert callable(module.run)
