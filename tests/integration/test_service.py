"""The package under a real systemd: hardened, watched, and what it cannot do from inside."""

import json
import signal
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from deploy.guest.namespace import NamespaceMachine
from deploy.package.wheels import ROOT
from tests.support.service_machine import (
    AGENT,
    RUNTIMES,
    drop_in,
    eventually,
    hands_over_credentials,
    hear,
    journal,
    needs_root,
    of_unit,
    without_drop_ins,
)

PAGE = ROOT / "docs/explain/service.md"
UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))

pytestmark = needs_root


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_is_tight(unit: Path) -> None:
    told = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(unit)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stdout


def test_three_runtimes_serve_with_equal_labels(machine: NamespaceMachine) -> None:
    labels: dict[str, dict[str, object]] = defaultdict(dict)
    for result in hear(machine, *RUNTIMES):
        labels[result["input"]][result["pipeline"]] = result["outputs"]["top"][0]["label"]
        assert result["runtime"] == result["pipeline"].removeprefix("digits-")
    compared = [each for each in labels.values() if len(each) == len(RUNTIMES)]
    assert compared
    assert all(len(set(each.values())) == 1 for each in compared)


def test_only_wasmtime_needs_memory_that_becomes_code(machine: NamespaceMachine) -> None:
    drop_in(machine, "tight", "[Service]\nMemoryDenyWriteExecute=yes\n")
    runtimes = {result["runtime"] for result in hear(machine, "tflite", "wasm3")}
    assert runtimes == {"tflite", "wasm3"}
    without_drop_ins(machine)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_what_stays_open_is_explained(
    machine: NamespaceMachine, unit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("systemd-analyze", "security", "--threshold=20")
    score = machine.run(*words, unit.name)
    assert score.returncode == 0, score.stdout
    found = json.loads(machine.run(*words, "--json=short", unit.name).stdout)
    still_open = {each["name"]: each["exposure"] for each in found if each["set"] is False}
    with capsys.disabled():
        print(f"\n{score.stdout.splitlines()[-1]}: {still_open}")
    column = unit.stem.removeprefix("selvedge-")
    assert still_open == explained(column)


def explained(column: str) -> dict[str, str]:
    """Findings in the documentation's table that it calls open for a unit, and what they cost."""
    lines = [line.replace("\\|", "\0") for line in PAGE.read_text().splitlines()]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line]
    heads = next(row for row in rows if row[0] == "finding")
    return {
        row[0].strip("`").replace("\0", "|"): row[1]
        for row in rows
        if len(row) == len(heads) and row[heads.index(column)] == "open"
    }


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


def test_from_inside_the_service_little_can_be_reached(machine: NamespaceMachine) -> None:
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
    assert found["credential"] == ("0" if hands_over_credentials(machine) else "13"), told
    assert found["raw"] == "97", told
    assert found["others"] == "[]", told
    assert found["module"] == found["namespace"] == "1", told
    assert found["uid"] == "True", told


def test_a_frozen_agent_is_started_anew(machine: NamespaceMachine) -> None:
    drop_in(machine, "soon", "[Service]\nWatchdogSec=3\nRestartSec=0\n")
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
    without_drop_ins(machine)
