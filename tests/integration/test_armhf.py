"""32-bit Pis: the engine, the runtimes and the agent's own parts under user-mode emulation."""

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import selvedge
from broker.contract.version import VERSION
from deploy.package import debian_archive
from deploy.package.archive import build
from deploy.package.commands import run
from deploy.package.targets import ARCHITECTURES, SUITES, Suite
from deploy.package.wheels import ROOT, own_wheel
from tests.support.agents import TrainedDigits

EMULATOR = "qemu-arm-static"
ARMHF = ARCHITECTURES["armhf"]
ANSWERS = ROOT / "tests/support/machine_answers.py"
CACHE = ROOT / ".cache/armhf"
PACKAGES = ROOT / ".cache/package"
RUNTIMES = {"bookworm": {"tflite", "wasm3", "host"}, "trixie": {"wasm3", "host"}}
"""TensorFlow Lite has no wheel for 32 bits and a Python newer than 3.11."""
FORMS = {"wasm3": "wasm", "host": "plan"}
"""What a model is converted into for a runtime of ours."""
TFLITE_STEPS = 2
"""Our engine gives the same bytes everywhere. TFLite for 32 bits is years older than the one here,
and its fast kernels round differently before the softmax: measured, by two of 256 steps at most."""
ALTERNATIVES = ("blas", "lapack")
"""Libraries that are found through links which the packages' scripts would make."""


class Armhf:
    """A Debian for ARMv7 with our package, unpacked; each program is translated as it runs.

    Attributes:
        brought: what apt brings along for the package, with versions.
    """

    def __init__(self, suite: Suite, package: Path, folder: Path) -> None:
        self.suite = suite
        cache = CACHE / suite.name
        newest = debian_archive.versions([str(package)], suite.name, ARMHF.debian, cache)
        self.brought = {name: one for name, one in newest.items() if name != "selvedge"}
        self.root = debian_archive.fetch(
            list(self.brought), suite.name, ARMHF.debian, cache / "python"
        )
        run(["dpkg-deb", "-x", str(package), str(folder)])
        self.home = folder / "opt/selvedge"

    def python(self, *words: str) -> subprocess.CompletedProcess[str]:
        libraries = self.root / "usr/lib/arm-linux-gnueabihf"
        site = self.home / f"lib/python{self.suite.python}/site-packages"
        inside = {
            # As the package's Python finds them: first its own, then Debian's.
            "PYTHONPATH": f"{site}:{self.root}/usr/lib/python3/dist-packages",
            "PYTHONDONTWRITEBYTECODE": "1",
            "LD_LIBRARY_PATH": ":".join(str(libraries / name) for name in ALTERNATIVES),
        }
        settings = [word for key, value in inside.items() for word in ("-E", f"{key}={value}")]
        program = str(self.root / "usr/bin/python3")
        return subprocess.run(
            [EMULATOR, "-L", str(self.root), *settings, program, "-P", *words],
            check=False,
            capture_output=True,
            text=True,
            timeout=240,
        )


@pytest.fixture(scope="module")
def wheel() -> Path:
    return own_wheel(PACKAGES)


@pytest.fixture(scope="module", params=RUNTIMES)
def armhf(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Armhf:
    assert shutil.which(EMULATOR), "apt install qemu-user-static"
    suite, folder = SUITES[request.param], tmp_path_factory.mktemp("armhf")
    package = build(suite, ARMHF, wheel, PACKAGES, folder, compression="none")
    return Armhf(suite, package, folder / "unpacked")


def test_it_is_another_machine(armhf: Armhf) -> None:
    told = armhf.python("-c", "import platform, sys; print(platform.machine(), sys.maxsize)")
    assert told.stdout.split()[1:] == [str(2**31 - 1)], told.stderr
    assert platform.machine() != told.stdout.split()[0]


def test_apt_finds_all_that_it_needs(armhf: Armhf) -> None:
    assert {"python3", *ARMHF.of_debian.values()} <= set(armhf.brought)
    assert "include-system-site-packages = true" in (armhf.home / "pyvenv.cfg").read_text()


def test_its_commands_run(armhf: Armhf, tmp_path: Path) -> None:
    told = armhf.python(str(armhf.home / "bin/selvedge"), "--version")
    assert told.stdout.split()[-1] == VERSION, told.stderr
    doctor = armhf.python(str(armhf.home / "bin/selvedge"), "doctor", "--json")
    assert set(json.loads(doctor.stdout)["runtimes"]) == RUNTIMES[armhf.suite.name], doctor.stderr
    # Certificates are made by a wheel that leans on a package of Debian's.
    fleet = ("broker", "init", str(tmp_path / "fleet"), "--host", "localhost")
    told = armhf.python(str(armhf.home / "bin/selvedge"), *fleet)
    assert told.returncode == 0, told.stderr


@pytest.mark.parametrize(
    ("armhf", "runtime"),
    [(suite, runtime) for suite, runtimes in RUNTIMES.items() for runtime in sorted(runtimes)],
    indirect=["armhf"],
)
def test_outputs_are_those_of_this_machine(
    armhf: Armhf, digits: TrainedDigits, tmp_path: Path, runtime: str
) -> None:
    model = tmp_path / "digits.tflite"
    model.write_bytes(digits.model)
    if runtime in FORMS:
        there, own = (tmp_path / f"{name}.{FORMS[runtime]}" for name in ("there", "own"))
        told = armhf.python("-m", "selvedge", "convert", str(model), str(there))
        assert told.returncode == 0, told.stderr
        assert selvedge.main(["convert", str(model), str(own)]) == 0
        assert there.read_bytes() == own.read_bytes()
        model = there
    inputs = np.random.default_rng(1).integers(-128, 128, (40, 8, 8, 1)).astype(np.int8)
    np.save(tmp_path / "inputs.npy", inputs)
    answers = {}
    for where in ("here", "armhf"):
        output = tmp_path / f"{where}.npy"
        words = [str(ANSWERS), str(model), runtime, str(tmp_path / "inputs.npy"), str(output)]
        told = armhf.python(*words) if where == "armhf" else here(*words)
        assert told.returncode == 0, told.stderr
        machine, ran = told.stdout.split()[-2:]
        assert ran == runtime
        assert (machine == platform.machine()) == (where == "here")
        answers[where] = np.load(output)
    assert len(np.unique(answers["here"], axis=0)) >= 20
    ours, theirs = (answers[where].astype(int) for where in ("here", "armhf"))
    assert (ours.argmax(1) == theirs.argmax(1)).all()
    assert np.abs(ours - theirs).max() <= (TFLITE_STEPS if runtime == "tflite" else 0)


def here(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
