"""The package under a real systemd: installed, hardened, watched, upgraded and purged."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.demo.recipe import RATE_HZ, config_toml, images_file, prepare
from deploy.guest import root_filesystem
from deploy.guest.namespace import NamespaceMachine, running
from deploy.package.archive import build
from deploy.package.targets import ARCHITECTURES, SUITES
from deploy.package.wheels import ROOT, own_wheel
from toolchain.digits.adapters import scikit

CACHE = ROOT / ".cache"
UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))
SUITE, ARCHITECTURE = SUITES["bookworm"], ARCHITECTURES["amd64"]
DEVICE = "pi-under-test"
AGENT = "selvedge-agent.service"
PORT = 8883
RUNTIMES = ("tflite", "wasm3", "wasmtime")
HOUSE = "/var/lib/selvedge"

CREDENTIALS = "$CREDENTIALS_DIRECTORY/mqtt_"
OPEN_CREDENTIALS = "/srv/credentials/"
"""Where they are on kernels that lack what systemd hands credentials over with."""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and packages need root")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_is_tight(unit: Path) -> None:
    told = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(unit)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    wheel = own_wheel(CACHE / "package")
    return build(SUITE, ARCHITECTURE, wheel, CACHE / "package", folder)


def installed(machine: NamespaceMachine, package: Path, *options: str) -> str:
    shutil.copy(package, machine.root / "root")
    # The guest is made of unpacked packages: its dpkg does not know that Python is there.
    told = machine.run("dpkg", "-i", "--force-depends", *options, f"/root/{package.name}")
    assert told.returncode == 0, told.stderr
    return told.stdout


@pytest.fixture(scope="module")
def machine(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NamespaceMachine]:
    made = root_filesystem.build(SUITE.name, ARCHITECTURE.debian, CACHE / "guest")
    root = tmp_path_factory.mktemp("machine") / "root"
    subprocess.run(["cp", "-a", str(made), str(root)], check=True)
    with running(root) as machine:
        installed(machine, package)
        with_fleet(machine)
        yield machine


@pytest.fixture(scope="module")
def hands_over(machine: NamespaceMachine) -> bool:
    return has_access_lists(machine)


def has_access_lists(machine: NamespaceMachine) -> bool:
    """Whether a dynamic user can be given files of root: LoadCredential= needs it."""
    words = ["-p", "DynamicUser=yes", "-p", "LoadCredential=one:/etc/hostname"]
    shown = ["sh", "-c", "cat $CREDENTIALS_DIRECTORY/one"]
    return machine.run("systemd-run", "--wait", "--pipe", "-q", *words, *shown).returncode == 0


def with_fleet(machine: NamespaceMachine) -> None:
    """A broker with certificates, and an agent that holds one, all in the guest."""
    words = ["--host", "localhost", "--device", DEVICE, "--operator", "ear"]
    told = machine.run("selvedge", "broker", "init", "/etc/selvedge/broker", *words)
    assert told.returncode == 0, told.stderr
    etc = machine.root / "etc/selvedge"
    credentials = CREDENTIALS if has_access_lists(machine) else OPEN_CREDENTIALS
    (machine.root / "srv/credentials").mkdir()
    for path in (etc / f"broker/devices/{DEVICE}").iterdir():
        shutil.copy(path, etc / "credentials")
        shutil.copy(path, machine.root / "srv/credentials")
        (machine.root / "srv/credentials" / path.name).chmod(0o644)
    recipe = prepare(scikit.load(), [DEVICE], lambda _: None)
    models = machine.root / "srv/models"
    models.mkdir()
    (models / "digits.tflite").write_bytes(recipe.model)
    (models / "digits.npy").write_bytes(images_file(recipe.shares[DEVICE]))
    told = machine.run(
        "selvedge", "convert", "/srv/models/digits.tflite", "/srv/models/digits.wasm"
    )
    assert told.returncode == 0, told.stderr
    (etc / "agent.toml").write_text(
        config_toml(
            {
                name: f"/srv/models/digits.{'tflite' if name == 'tflite' else 'wasm'}"
                for name in RUNTIMES
            },
            "/srv/models/digits.npy",
        )
        + f"""
[broker]
url = "mqtts://localhost:{PORT}"
ca = "{credentials}ca.crt"
cert = "{credentials}client.crt"
key = "{credentials}client.key"
"""
    )
    for verb, unit in (("enable", "selvedge-broker"), ("restart", "selvedge-broker")):
        told = machine.run("systemctl", verb, unit)
        assert told.returncode == 0, told.stderr
    shutil.copy(ROOT / "tests/support/guest_ear.py", machine.root / "root/ear.py")
    told = machine.run("systemctl", "restart", AGENT)
    assert told.returncode == 0, journal(machine)


def journal(machine: NamespaceMachine) -> str:
    return machine.run("journalctl", "-u", "selvedge-*", "--no-pager", "-n", "40").stdout


def eventually(question: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if question():
            return True
        time.sleep(0.2)
    return question()


def of_unit(machine: NamespaceMachine, name: str) -> str:
    return machine.run("systemctl", "show", "--value", "-p", name, AGENT).stdout.strip()


def test_three_runtimes_serve_with_equal_labels(machine: NamespaceMachine) -> None:
    labels: dict[str, dict[str, object]] = defaultdict(dict)
    for result in hear(machine, *RUNTIMES):
        labels[result["input"]][result["pipeline"]] = result["outputs"]["top"][0]["label"]
        assert result["runtime"] == result["pipeline"].removeprefix("digits-")
    compared = [each for each in labels.values() if len(each) == len(RUNTIMES)]
    assert compared
    assert all(len(set(each.values())) == 1 for each in compared)


def hear(machine: NamespaceMachine, *runtimes: str) -> list[dict[str, Any]]:
    """Results, at least a second's worth of each of these runtimes."""
    pipelines = [f"digits-{name}" for name in runtimes]
    heard = machine.run(
        *("/opt/selvedge/bin/python3", "/root/ear.py"),
        *("/etc/selvedge/broker/operators/ear", str(PORT + 1), str(int(RATE_HZ)), *pipelines),
        timeout_s=120,
    )
    assert heard.returncode == 0, heard.stderr + journal(machine)
    return [json.loads(line) for line in heard.stdout.splitlines()]


def test_only_wasmtime_needs_memory_that_becomes_code(machine: NamespaceMachine) -> None:
    folder = machine.root / f"etc/systemd/system/{AGENT}.d"
    folder.mkdir(exist_ok=True)
    (folder / "tight.conf").write_text("[Service]\nMemoryDenyWriteExecute=yes\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", AGENT)
    runtimes = {result["runtime"] for result in hear(machine, "tflite", "wasm3")}
    assert runtimes == {"tflite", "wasm3"}
    shutil.rmtree(folder)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", AGENT)


def test_the_running_service_scores_as_its_file(machine: NamespaceMachine) -> None:
    words = machine.run("systemd-analyze", "security", "--threshold=20", AGENT)
    assert words.returncode == 0, words.stdout


PROBE = """
import os, pathlib, socket, sys
def tries(what):
    try:
        what()
    except OSError as error:
        return error.errno
    return 0
print("etc", tries(lambda: open("/etc/selvedge/own", "w")))
print("home", tries(lambda: open("/opt/selvedge/own", "w")))
print("srv", tries(lambda: open("/srv/own", "w")))
print("state", tries(lambda: open(os.environ["STATE_DIRECTORY"] + "/own", "w")))
print("key", tries(lambda: open("/etc/selvedge/credentials/client.key")))
print("credential", tries(lambda: open(os.environ["CREDENTIALS_DIRECTORY"] + "/mqtt_client.key")))
print("raw", tries(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)))
print("others", [int(p.name) for p in pathlib.Path("/proc").iterdir() if p.name == "1"])
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall(313, 0, b"", 0)  # finit_module
print("module", ctypes.get_errno())
libc.unshare(0x10000000)
print("namespace", ctypes.get_errno())
print("uid", os.getuid() != 0)
"""


def test_from_inside_the_service_little_can_be_reached(
    machine: NamespaceMachine, hands_over: bool
) -> None:
    (machine.root / "srv/probe.py").write_text(PROBE)
    folder = machine.root / "etc/systemd/system"
    unit = (machine.root / f"lib/systemd/system/{AGENT}").read_text()
    unit = unit.replace("Type=notify", "Type=oneshot").replace("WatchdogSec=60", "")
    unit = unit.replace("Restart=on-failure", "")
    unit = unit.replace(
        "/opt/selvedge/bin/selvedge agent", "/opt/selvedge/bin/python3 /srv/probe.py"
    )
    (folder / "probe.service").write_text(unit.replace("selvedge\nState", "probe\nState"))
    machine.run("systemctl", "daemon-reload")
    ran = machine.run("systemctl", "start", "probe.service")
    told = machine.run("journalctl", "-u", "probe", "-o", "cat", "--no-pager").stdout
    assert ran.returncode == 0, told
    found = dict(line.split(" ", 1) for line in told.splitlines() if line.count(" ") == 1)
    assert found["etc"] == found["home"] == found["srv"] == "30", told  # a read-only file system
    assert (found["state"], found["key"]) == ("0", "13"), told
    assert found["credential"] == ("0" if hands_over else "13"), told
    assert found["raw"] == "97", told
    assert found["others"] == "[]", told
    assert found["module"] == found["namespace"] == "1", told
    assert found["uid"] == "True", told


def test_a_frozen_agent_is_started_anew(machine: NamespaceMachine) -> None:
    folder = machine.root / f"etc/systemd/system/{AGENT}.d"
    folder.mkdir(exist_ok=True)
    (folder / "soon.conf").write_text("[Service]\nWatchdogSec=3\nRestartSec=0\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", AGENT)
    before = of_unit(machine, "MainPID")
    assert machine.run("kill", f"-{signal.SIGSTOP.value}", before).returncode == 0
    assert eventually(
        lambda: (
            of_unit(machine, "MainPID") not in (before, "0")
            and of_unit(machine, "ActiveState") == "active"
        ),
        60,
    ), journal(machine)
    assert int(of_unit(machine, "NRestarts")) >= 1
    shutil.rmtree(folder)
    machine.run("systemctl", "daemon-reload")


def test_an_upgrade_keeps_state_and_a_purge_leaves_nothing(
    machine: NamespaceMachine, package: Path, tmp_path: Path
) -> None:
    # The same files under another number: what counts here are the scripts.
    unpacked = tmp_path / "unpacked"
    subprocess.run(["dpkg-deb", "-R", str(package), str(unpacked)], check=True)
    about = unpacked / "DEBIAN"
    for name in ("control", "preinst"):
        text = (about / name).read_text()
        (about / name).write_text(text.replace("0.1.0+deb12", "0.2.0+deb12"))
    newer = tmp_path / "selvedge_0.2.0_amd64.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Znone", "-b", str(unpacked), str(newer)],
        check=True,
        capture_output=True,
    )
    kept = machine.root / "var/lib/private/selvedge/kept"
    kept.write_text("state")
    configured = (machine.root / "etc/selvedge/agent.toml").read_text()

    installed(machine, newer, "--force-confold")
    assert kept.read_text() == "state"
    assert (machine.root / "etc/selvedge/agent.toml").read_text() == configured
    assert eventually(lambda: of_unit(machine, "ActiveState") == "active", 30), journal(machine)

    refused = machine.run("dpkg", "-i", "--force-depends", f"/root/{package.name}")
    assert refused.returncode != 0
    assert "0.2.0+deb12 is installed" in refused.stderr
    assert "0.2.0+deb12" in machine.run("dpkg", "-s", "selvedge").stdout
    assert eventually(lambda: of_unit(machine, "ActiveState") == "active", 30), journal(machine)

    machine.run("rm", "-f", f"/root/{package.name}", f"/root/{newer.name}")
    purged = machine.run("dpkg", "--purge", "selvedge")
    assert purged.returncode == 0, purged.stderr
    left = machine.run("find", "/", "-xdev", "-name", "*selvedge*", "-not", "-path", "/proc/*")
    strangers = [
        line
        for line in left.stdout.splitlines()
        if not line.startswith(("/var/log", "/var/lib/dpkg/info", "/sys", "/run/log"))
    ]
    assert strangers == [], strangers
