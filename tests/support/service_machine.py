"""Debian machines in namespaces that run the package: a broker, an agent and three runtimes.

What takes long is done once for a run of the tests; each module gets a machine of its own, a layer
over what was made, and may do with it what it likes.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.guest import root_filesystem
from deploy.guest.copies import copied
from deploy.guest.namespace import NamespaceMachine, running
from deploy.package.archive import build
from deploy.package.targets import ARCHITECTURES, SUITES
from deploy.package.wheels import ROOT, download, own_wheel
from tests.support.agents import LABELS, TrainedDigits
from tests.support.any_machine import AnyMachine

CACHE = ROOT / ".cache"
ARCHITECTURE = ARCHITECTURES["amd64"]
DEVICE = "pi-under-test"
AGENT = "selvedge-agent.service"
PORT = 8883
RUNTIMES = ("tflite", "wasm3", "wasmtime")
DROP_INS = f"etc/systemd/system/{AGENT}.d"
RATE_HZ = 25
PIPELINE = """
[pipelines.digits-{name}]
model = "/srv/models/digits.{suffix}"
runtime = "{name}"
source = {{ kind = "replay", path = "/srv/models/digits.npy", rate_hz = {rate}, loop = true }}
preprocess = {{ kind = "image" }}
postprocess = {{ kind = "classify", labels = {labels}, threshold = 0.5 }}
"""
CREDENTIALS = "$CREDENTIALS_DIRECTORY/mqtt_"
OPEN_CREDENTIALS = "/srv/credentials/"
"""Where they are on kernels that lack what systemd hands credentials over with."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and packages need root")


class Workshop:
    """What all machines of a run are made of, each made when it is first asked for."""

    def __init__(self, digits: TrainedDigits, folder: Path, life: ExitStack) -> None:
        self._digits = digits
        self._folder = folder
        self._life = life
        self._wheel: Path | None = None
        self._packages: dict[str, Path] = {}
        self._prepared: dict[str, Path] = {}

    def wheel(self) -> Path:
        """Our own wheel."""
        if self._wheel is None:
            self._wheel = own_wheel(self._folder / "wheel")
        return self._wheel

    def wheels(self, suite: str) -> Path:
        """A folder with ours and all that it needs, for pip without a network."""
        folder = self._folder / f"wheels-{suite}"
        if not folder.exists():
            download(SUITES[suite], ARCHITECTURE, folder)
            shutil.copy(self.wheel(), folder)
        return folder

    def package(self, suite: str) -> Path:
        """The package for a release of Debian."""
        if suite not in self._packages:
            self._packages[suite] = build(
                *(SUITES[suite], ARCHITECTURE, self.wheel(), CACHE / "package"),
                self._folder / suite,
                compression="none",
            )
        return self._packages[suite]

    def bare(self, suite: str) -> Path:
        """A root file system without the package; it must not be changed."""
        return root_filesystem.build(suite, ARCHITECTURE.debian, CACHE / "guest")

    def prepared(self, suite: str) -> Path:
        """A root file system in which broker and agent start by themselves; not to be changed."""
        if suite not in self._prepared:
            folder = self._folder / f"prepared-{suite}"
            root = self._life.enter_context(copied(self.bare(suite), folder))
            with running(root) as machine:
                install(machine, self.package(suite))
                self._with_fleet(machine)
                machine.run("systemctl", "stop", AGENT, "selvedge-broker")
            self._prepared[suite] = root
        return self._prepared[suite]

    def _with_fleet(self, machine: NamespaceMachine) -> None:
        words = ["--host", "localhost", "--device", DEVICE, "--operator", "ear"]
        told = machine.run("selvedge", "broker", "init", "/etc/selvedge/broker", *words)
        assert told.returncode == 0, told.stderr
        etc, srv = machine.root / "etc/selvedge", machine.root / "srv"
        (srv / "credentials").mkdir()
        for path in (etc / f"broker/devices/{DEVICE}").iterdir():
            shutil.copy(path, etc / "credentials")
            shutil.copy(path, srv / "credentials")
            (srv / "credentials" / path.name).chmod(0o644)
        (srv / "models").mkdir()
        (srv / "models/digits.tflite").write_bytes(self._digits.model)
        np.save(srv / "models/digits.npy", self._digits.held_out.images)
        told = machine.run(
            "selvedge", "convert", "/srv/models/digits.tflite", "/srv/models/digits.wasm"
        )
        assert told.returncode == 0, told.stderr
        (etc / "agent.toml").write_text(configuration(hands_over_credentials(machine)))
        told = machine.run("systemctl", "enable", "selvedge-broker")
        assert told.returncode == 0, told.stderr
        shutil.copy(ROOT / "tests/support/guest_ear.py", machine.root / "root/ear.py")


@pytest.fixture(scope="session")
def workshop(digits: TrainedDigits, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """What the machines of this run are made of."""
    with ExitStack() as life:
        yield Workshop(digits, tmp_path_factory.mktemp("workshop"), life)


@contextmanager
def serving(workshop: Workshop, suite: str, folder: Path) -> Iterator[NamespaceMachine]:
    """A machine of its own, in which the agent has started."""
    with copied(workshop.prepared(suite), folder) as root, running(root) as machine:
        assert eventually(lambda: of_unit(machine, "ActiveState") == "active", 60), journal(machine)
        yield machine


@pytest.fixture(scope="module")
def machine(
    workshop: Workshop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NamespaceMachine]:
    """A machine for the tests of one module."""
    with serving(workshop, "bookworm", tmp_path_factory.mktemp("machine")) as machine:
        yield machine


def install(machine: NamespaceMachine, package: Path, *options: str) -> str:
    """Install a package; dpkg's own words."""
    shutil.copy(package, machine.root / "srv")
    # The guest is made of unpacked packages: its dpkg does not know that Python is there.
    told = machine.run(
        *("dpkg", "-i", "--force-depends", "--force-unsafe-io", *options),
        f"/srv/{package.name}",
        timeout_s=300,
    )
    assert told.returncode == 0, told.stderr
    return told.stdout


def hands_over_credentials(machine: NamespaceMachine) -> bool:
    """Whether a dynamic user can be given files of root: LoadCredential= needs it."""
    words = ["-p", "DynamicUser=yes", "-p", "LoadCredential=one:/etc/hostname"]
    shown = ["sh", "-c", "cat $CREDENTIALS_DIRECTORY/one"]
    return machine.run("systemd-run", "--wait", "--pipe", "-q", *words, *shown).returncode == 0


def configuration(hands_over: bool) -> str:
    """What an agent in such a machine runs: the same digits under each runtime."""
    credentials = CREDENTIALS if hands_over else OPEN_CREDENTIALS
    pipelines = "".join(
        PIPELINE.format(
            name=name, suffix="tflite" if name == "tflite" else "wasm", labels=LABELS, rate=RATE_HZ
        )
        for name in RUNTIMES
    )
    return (
        pipelines
        + f"""
[broker]
url = "mqtts://localhost:{PORT}"
ca = "{credentials}ca.crt"
cert = "{credentials}client.crt"
key = "{credentials}client.key"
"""
    )


def hear(machine: NamespaceMachine, *runtimes: str) -> list[dict[str, Any]]:
    """Results, at least a second's worth of each of these runtimes."""
    pipelines = [f"digits-{name}" for name in runtimes]
    operator = "/etc/selvedge/broker/operators/ear"
    heard = machine.run(
        *("/opt/selvedge/bin/python3", "/root/ear.py"),
        *(operator, str(PORT + 1), str(RATE_HZ), *pipelines),
        timeout_s=120,
    )
    assert heard.returncode == 0, heard.stderr + journal(machine)
    return [json.loads(line) for line in heard.stdout.splitlines()]


def own_clock(machine: NamespaceMachine, offset_s: int) -> tuple[str, ...]:
    """Settings under which programs in there see another time; call it again to set it anew.

    The clock of the machine is everybody's, and so a namespace has none of its own.
    """
    library = machine.root / "srv/own_clock.so"
    if not library.exists():
        source = ROOT / "tests/support/own_clock.c"
        words = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
        subprocess.run([*words, "-o", str(library), str(source)], check=True)
    (machine.root / "srv/clock").write_text(f"{offset_s}\n")
    return ("LD_PRELOAD=/srv/own_clock.so", "OWN_CLOCK=/srv/clock")


def drop_in(machine: NamespaceMachine, name: str, text: str) -> None:
    """Add lines to the agent's unit, and start it anew."""
    folder = machine.root / DROP_INS
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.conf").write_text(text)
    restart(machine)


def without_drop_ins(machine: NamespaceMachine) -> None:
    """Take them away again."""
    shutil.rmtree(machine.root / DROP_INS)
    restart(machine)


def restart(machine: NamespaceMachine) -> None:
    """Read the units again, and start the agent anew."""
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "reset-failed", AGENT)
    told = machine.run("systemctl", "restart", AGENT)
    assert told.returncode == 0, journal(machine)


def of_unit(machine: AnyMachine, name: str) -> str:
    """A property of the agent's unit."""
    return machine.run("systemctl", "show", "--value", "-p", name, AGENT).stdout.strip()


def journal(machine: AnyMachine) -> str:
    """The last words of broker and agent."""
    return machine.run("journalctl", "-u", "selvedge-*", "--no-pager", "-n", "40").stdout


def eventually(question: Callable[[], bool], timeout_s: float) -> bool:
    """Ask until it is so, or the time is over."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if question():
            return True
        time.sleep(0.2)
    return question()


def unpacked(package: Path, folder: Path) -> Path:
    """The package as a folder, its words about itself in `DEBIAN`."""
    subprocess.run(["dpkg-deb", "-R", str(package), str(folder)], check=True)
    return folder


def packed(folder: Path, made: Path) -> Path:
    """The reverse."""
    words = ["dpkg-deb", "--root-owner-group", "-Znone", "-b", str(folder), str(made)]
    subprocess.run(words, check=True, capture_output=True)
    return made
