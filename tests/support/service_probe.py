"""What can be done from inside the agent's service, on any machine that has the package."""

import json
import re
from pathlib import Path
from typing import Any

from deploy.package.wheels import ROOT
from tests.support.any_machine import AnyMachine, must, write
from tests.support.service_machine import AGENT

EXPLAINED = ROOT / "docs/explain/service.md"
DOCUMENTED = ROOT / "docs/how-to/pi.md"
SCRIPT = Path(__file__).with_name("guest_probe.py")
PROBE, ANSWER = "/opt/probe.py", "/run/probe.json"
PYTHON = "/opt/selvedge/bin/python3"
INSTEAD = f"""
[Service]
Type=oneshot
Restart=no
WatchdogSec=0
User=probe
StateDirectory=
StateDirectory=probe
CacheDirectory=
RuntimeDirectory=
StandardOutput=truncate:{ANSWER}
ExecStart=
ExecStart={PYTHON} {PROBE}"""
SCORE = 2.0
CONFINED = {
    "writes": dict.fromkeys(("/etc/selvedge", "/opt/selvedge", "/srv", "/usr/bin", "/"), "EROFS"),
    "writes home": "EACCES",
    "writes state": "done",
    "reads key": "EACCES",
    "reads credential": "done",
    "raw socket": "EAFNOSUPPORT",
    "loads module": "EPERM",
    "makes namespace": "EPERM",
    "sees of others": 0,
}
"""What the service meets."""

REACHED = {"SOCK_STREAM": "done", "SOCK_DGRAM": "done"}
FILTERED = {"SOCK_STREAM": "ETIMEDOUT", "SOCK_DGRAM": "EPERM"}
"""What it meets at an address that its list lacks: nothing is sent, and so nobody answers."""


def from_inside(
    machine: AnyMachine, module: str, *addresses: str, lines: str = ""
) -> dict[str, Any]:
    """What the probe meets in a service that is the agent's but for its name and program.

    Args:
        module: path of a kernel module that is not loaded.
        addresses: to be reached, each `host:port`.
        lines: more of the unit.
    """
    unit = must(machine, "cat", f"/lib/systemd/system/{AGENT}")
    write(machine, PROBE, SCRIPT.read_text())
    words = " ".join([INSTEAD, module, *addresses])
    write(machine, "/etc/systemd/system/probe.service", f"{unit}\n{words}\n{lines}\n")
    must(machine, "systemctl", "daemon-reload")
    started = machine.run("systemctl", "start", "probe.service")
    said = machine.run("journalctl", "-u", "probe", "-o", "cat", "--no-pager", "-n", "20")
    assert started.returncode == 0, started.stderr + said.stdout
    return dict(json.loads(must(machine, "cat", ANSWER)))


def from_outside(machine: AnyMachine, module: str, *addresses: str) -> dict[str, Any]:
    """What the same program meets without a service: root, and nothing in its way."""
    write(machine, PROBE, SCRIPT.read_text())
    return dict(json.loads(must(machine, PYTHON, PROBE, module, *addresses)))


def broker_only(address: str) -> str:
    """The lines that the documentation gives, with a broker's address."""
    form = r"```ini\n(\[Service\]\nIPAddressDeny=.*?)```"
    found = re.search(form, DOCUMENTED.read_text(), re.DOTALL)
    assert found is not None
    return found.group(1).replace("192.0.2.7", address)


def still_open(machine: AnyMachine, unit: str) -> tuple[str, dict[str, str]]:
    """The score in words, and by name what each finding costs that systemd has about a unit.

    Raises:
        AssertionError: the score is above `SCORE`.
    """
    words = ("systemd-analyze", "security", f"--threshold={SCORE * 10:g}")
    score = must(machine, *words, unit).splitlines()[-1]
    found = json.loads(must(machine, *words, "--json=short", unit))
    return score, {each["name"]: each["exposure"] for each in found if each["set"] is False}


def explained(column: str) -> dict[str, str]:
    """Findings in the documentation's table that it calls open for a unit, and what they cost."""
    lines = [line.replace("\\|", "\0") for line in EXPLAINED.read_text().splitlines()]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line]
    heads = next(row for row in rows if row[0] == "finding")
    return {
        row[0].strip("`").replace("\0", "|"): row[1]
        for row in rows
        if len(row) == len(heads) and row[heads.index(column)] == "open"
    }
