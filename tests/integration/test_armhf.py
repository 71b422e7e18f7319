"""32-bit Pis: the engine, the runtimes and the agent's own parts under user-mode emulation."""

import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import selvedge
from deploy.package import debian_archive, wasm3
from deploy.package.commands import run
from deploy.package.targets import SUITES, Architecture
from deploy.package.wheels import ROOT, own_wheel
from tests.support.agents import TrainedDigits

EMULATOR = "qemu-arm-static"
SUITE = SUITES["bookworm"]
ARMHF = Architecture("armhf", "armv7l", "arm-linux-gnueabihf", "arm-linux-gnueabihf")
PYTHON = ("python3", "python3-numpy", "python3-pil", "python3-paho-mqtt", "python3-serial")
WHEELS = ("tflite-runtime==2.14.0", "tflite>=2.18", "flatbuffers>=23.5.26")
ANSWERS = ROOT / "tests/support/machine_answers.py"
CACHE = ROOT / ".cache/armhf"
RUNTIMES = ("tflite", "wasm3", "host")
FORMS = {"wasm3": "wasm", "host": "plan"}
"""What a model is converted into for a runtime of ours."""
TFLITE_STEPS = 2
"""Our engine gives the same bytes everywhere. TFLite for 32 bits is years older than the one here,
and its fast kernels round differently before the softmax: measured, by two of 256 steps at most."""
ALTERNATIVES = ("blas", "lapack")
"""Libraries that are found through links which the packages' scripts would make."""


class Armhf:
    """A Debian for ARMv7 with Python, unpacked; each program is translated as it runs."""

    def __init__(self, root: Path, site: Path) -> None:
        self.root, self.site = root, site

    def python(self, *words: str) -> subprocess.CompletedProcess[str]:
        libraries = self.root / "usr/lib/arm-linux-gnueabihf"
        inside = {
            "PYTHONPATH": f"{self.site}:{self.root}/usr/lib/python3/dist-packages",
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
def armhf(tmp_path_factory: pytest.TempPathFactory) -> Armhf:
    assert shutil.which(EMULATOR), "apt install qemu-user-static"
    newest = debian_archive.versions(list(PYTHON), SUITE.name, ARMHF.debian, CACHE)
    root = debian_archive.fetch(list(newest), SUITE.name, ARMHF.debian, CACHE / "python")
    site = tmp_path_factory.mktemp("armhf") / "site"
    site.mkdir()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-deps", "--no-compile", "--only-binary=:all:", "--target", str(site)]
    pip += ["--implementation", "cp", "--python-version", SUITE.python]
    run([*pip, f"--platform=manylinux_2_34_{ARMHF.machine}", *WHEELS])
    with zipfile.ZipFile(own_wheel(ROOT / ".cache/package")) as wheel:
        wheel.extractall(site)
    wasm3.install(SUITE, ARMHF, site, ROOT / ".cache/package")
    return Armhf(root, site)


def test_it_is_another_machine(armhf: Armhf) -> None:
    told = armhf.python("-c", "import platform, sys; print(platform.machine(), sys.maxsize)")
    assert told.stdout.split()[1:] == [str(2**31 - 1)], told.stderr
    assert platform.machine() != told.stdout.split()[0]


@pytest.mark.parametrize("runtime", RUNTIMES)
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
