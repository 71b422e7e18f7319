"""The Python part of a package: our wheel, and those of others for the machine it is made for."""

import sys
import tempfile
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

from deploy.package.commands import run
from deploy.package.errors import PackageError
from deploy.package.targets import Architecture, Suite, platforms

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = ("cryptography",)
"""Wanted on a device besides what the agent needs: `broker init` makes certificates with it."""


def install(suite: Suite, architecture: Architecture, wheel: Path, site: Path) -> None:
    """Fill a `site-packages` folder.

    Raises:
        PackageError: a wheel is not to be had for this machine.
    """
    wanted = requirements(suite, architecture)
    words = ["install", "--no-compile", "--no-warn-conflicts", "--target", str(site)]
    if architecture.of_debian:
        # What these need in turn is among them, or Debian's: pip would look for wheels of that.
        words.append("--no-deps")
        wanted = [each for each in wanted if each.name not in architecture.of_debian]
    _pip([*words, *_machine(suite, architecture), *map(str, wanted)])
    _pip([*words, *_machine(suite, architecture), "--no-deps", "--no-index", str(wheel)])


def download(suite: Suite, architecture: Architecture, folder: Path) -> None:
    """Fill a folder with the wheels of others, from which pip can install ours without a network.

    Raises:
        PackageError: a wheel is not to be had for this machine.
    """
    wanted = [str(each) for each in requirements(suite, architecture)]
    _pip(["download", "--dest", str(folder), *_machine(suite, architecture), *wanted])


def _machine(suite: Suite, architecture: Architecture) -> list[str]:
    tags = [f"--platform={tag}" for tag in platforms(suite, architecture)]
    return ["--implementation", "cp", "--python-version", suite.python, *tags]


def _pip(words: list[str]) -> None:
    command, *rest = words
    pip = [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check"]
    run([*pip, "--only-binary=:all:", *rest])


def requirements(suite: Suite, architecture: Architecture) -> list[Requirement]:
    """What our own wheel asks for on such a machine.

    Markers are answered here, because pip answers them for the machine that it runs on.
    """
    tree = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = tree["project"]
    lines = list(project["dependencies"])
    every = [line for lines in project["optional-dependencies"].values() for line in lines]
    lines += [next(line for line in every if Requirement(line).name == name) for name in EXTRAS]
    environment = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": architecture.machine,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{suite.python}.0",
        "python_version": suite.python,
        "sys_platform": "linux",
    }
    wanted = []
    for requirement in map(Requirement, lines):
        if requirement.marker is None or requirement.marker.evaluate(environment):
            requirement.marker = None
            wanted.append(requirement)
    return wanted


def own_wheel(cache: Path) -> Path:
    """Build our wheel from this tree.

    Raises:
        PackageError: it cannot be built.
    """
    folder = cache / "own"
    for old in folder.glob("*.whl"):
        old.unlink()
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder)]
    if _can_build_here():
        words.append("--no-build-isolation")  # else 20,000 files of the compiler are unpacked anew
    with tempfile.TemporaryDirectory() as scratch:
        # In the tree, files of an earlier build that are no longer sources would come along.
        settings = Path(scratch) / "settings.cfg"
        settings.write_text(f"[build]\nbuild_base={scratch}/build\n")
        run([*words, str(ROOT)], environment={"DIST_EXTRA_CONFIG": str(settings)})
    found = sorted(folder.glob("selvedge-*.whl"))
    if len(found) != 1:
        raise PackageError(f"one wheel was expected in {folder}, found {len(found)}")
    return found[0]


def _can_build_here() -> bool:
    tree = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = map(Requirement, tree["build-system"]["requires"])
    try:
        return all(each.specifier.contains(version(each.name)) for each in needed)
    except PackageNotFoundError:
        return False
