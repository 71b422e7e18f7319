"""The package under a real systemd: hardened, watched, and what it cannot do from inside."""

import signal
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from deploy.guest.namespace import NamespaceMachine
from deploy.package.wheels import ROOT
from tests.support.service_machine import (
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
from tests.support.service_probe import (
    CONFINED,
    explained,
    from_inside,
    from_outside,
    still_open,
)

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
    score, found = still_open(machine, unit.name)
    with capsys.disabled():
        print(f"\n{score}: {found}")
    assert found == explained(unit.stem.removeprefix("selvedge-"))


def test_from_inside_the_service_little_can_be_reached(machine: NamespaceMachine) -> None:
    no_module = "/etc/hostname"
    inside = from_inside(machine, no_module)
    credential = "done" if hands_over_credentials(machine) else "EACCES"
    assert inside | CONFINED | {"reads credential": credential} == inside
    assert inside["uid"] != 0
    outside = from_outside(machine, no_module)
    assert not [name for name in CONFINED if outside[name] == inside[name]], outside


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
