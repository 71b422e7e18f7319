"""An emulated Pi for tests: made once, cached by what it is made of, copied for each test."""

import hashlib
import time
import zipfile
from pathlib import Path

import pytest

import selvedge
from deploy.emulator import image, installation
from deploy.emulator.image import Base
from deploy.emulator.machine import Machine
from deploy.package.archive import build
from deploy.package.targets import ARCHITECTURES, SUITES, Suite
from deploy.package.wheels import ROOT, own_wheel
from tests.support.agents import Bench, TrainedDigits

SUITE, ARCHITECTURE = SUITES["bookworm"], ARCHITECTURES["arm64"]
CACHE = ROOT / ".cache/emulator"
PACKAGES = ROOT / ".cache/package"
MODELS = "/srv/models"


@pytest.fixture(scope="session")
def base() -> Base:
    """A Debian without us."""
    return image.build(SUITE, ARCHITECTURE, CACHE)


@pytest.fixture(scope="session")
def deb() -> Path:
    """The package of this tree."""
    return package(SUITE)


@pytest.fixture(scope="session")
def installed(base: Base, deb: Path) -> Path:
    """A disk with the package, and the state of the machine right after its installation."""
    return installation.build(base, deb, CACHE)


def package(suite: Suite) -> Path:
    """The package of this tree; an older one is taken when nothing that it is made of changed."""
    wheel = own_wheel(PACKAGES)
    digest = hashlib.sha256()
    with zipfile.ZipFile(wheel) as files:
        for file in sorted(files.infolist(), key=lambda file: file.filename):
            digest.update(f"{file.filename} {file.CRC}\n".encode())
    for folder in ("package", "debian", "systemd", "udev"):
        for path in sorted((ROOT / "deploy" / folder).glob("*.*")):
            digest.update(path.read_bytes())
    digest.update((ROOT / "pyproject.toml").read_bytes())
    kept = CACHE / f"package-{suite.name}-{digest.hexdigest()[:12]}.deb"
    if not kept.exists():
        made = build(suite, ARCHITECTURE, wheel, PACKAGES, CACHE / "making", compression="none")
        made.rename(kept)
    return kept


@pytest.fixture
def disk(installed: Path, tmp_path: Path) -> Path:
    """A copy of the installed disk."""
    return installation.copy(installed, tmp_path)


@pytest.fixture
def models(digits: TrainedDigits, tmp_path: Path) -> dict[str, Path]:
    """The demo's model as TFLite and as WebAssembly, and its images."""
    return models_of(digits, tmp_path)


def models_of(digits: TrainedDigits, folder: Path) -> dict[str, Path]:
    """Write the model as TFLite and as WebAssembly, and images."""
    bench = Bench(digits, folder)
    module = folder / "digits.wasm"
    assert selvedge.main(["convert", str(bench.model), str(module)]) == 0
    return {path.name: path for path in (bench.model, module, bench.images)}


def configure(pi: Machine, files: dict[str, Path], text: str) -> None:
    """Give an installed Pi its models, its certificates if there are any, and its configuration."""
    pi.set_clock(time.time())
    secrets = [name for name in files if name.endswith((".crt", ".key"))]
    with pi.stick(files) as stick:
        pi.must("mkdir", "-p", MODELS)
        for name in files:
            if name in secrets:
                place, mode = "/etc/selvedge/credentials", "600"
            else:
                place, mode = MODELS, "644"
            pi.must("install", "-m", mode, f"{stick}/{name}", place)
    pi.agent.write("/etc/selvedge/agent.toml", text.encode())


def prepare(base: Base, disk: Path, files: dict[str, Path], text: str) -> None:
    """Configure the Pi that was installed on a disk, and shut it down: the next boot serves."""
    with Machine(base, disk, restores=True) as pi:
        pi.wait_until_up()
        configure(pi, files, text)
        pi.shut_down()
