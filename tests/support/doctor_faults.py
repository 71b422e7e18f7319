"""Faults of a device, each planted for real by a line of shell, and what the doctor must say.

Any machine will do in which the package is installed, a broker is configured and reached by TLS, a
pipeline is called digits-tflite, and root runs the lines: one in namespaces or an emulated Pi.
"""

import json
from dataclasses import dataclass
from typing import Any

from broker.contract.exit_code import ExitCode
from tests.support.any_machine import AnyMachine, must

EXTRA = "/etc/selvedge/zz-fault.toml"
UNPLANT_EXTRA = f"rm -f {EXTRA}"
STATE = "$(readlink -f /var/lib/selvedge)"
OWN_DROP_IN = "/etc/systemd/system/selvedge-agent.service.d/zz-fault.conf"
WITHOUT_DROP_IN = f"rm -f {OWN_DROP_IN}; systemctl daemon-reload"
UPTIME = "$(cut -d. -f1 /proc/uptime)"
SET_TO_1970 = f"echo $(($(date +%s) - {UPTIME})) >/run/booted; date -u -s @86400"
SET_AGAIN = f"date -u -s @$(($(cat /run/booted) + {UPTIME}))"
SITE = "/opt/selvedge/lib/python3*/site-packages"


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        plant: shell that makes it so.
        mend: shell that takes it back.
        check: name of the finding that must come.
        says: words of its text.
        remedy: words of its remedy.
        under: shell words before the doctor's own.
    """

    name: str
    plant: str
    mend: str
    check: str
    says: str
    remedy: str
    level: str = "problem"
    under: str = ""


def with_extra(toml: str) -> str:
    """Shell that adds a file of configuration."""
    return f"cat >{EXTRA} <<'END'\n{toml}\nEND"


def with_drop_in(lines: str) -> str:
    """Shell that adds lines to the service."""
    return (
        f"mkdir -p $(dirname {OWN_DROP_IN}); cat >{OWN_DROP_IN} <<'END'\n[Service]\n{lines}\nEND\n"
        "systemctl daemon-reload"
    )


FAULTS = (
    Fault(
        "no camera group",
        "mknod -m 660 /dev/video77 c 81 77; chgrp video /dev/video77; "
        + with_drop_in("SupplementaryGroups="),
        f"rm /dev/video77; {WITHOUT_DROP_IN}",
        "group",
        "selvedge-agent is not in video",
        "dpkg-reconfigure selvedge",
    ),
    Fault(
        "no broker",
        with_extra('[broker]\nurl = "mqtts://localhost:9"'),
        UNPLANT_EXTRA,
        "broker",
        "Connection refused",
        "start the broker",
    ),
    Fault(
        "a broker whose name nobody knows",
        with_extra('[broker]\nurl = "mqtts://barn.invalid"'),
        UNPLANT_EXTRA,
        "broker",
        "barn.invalid",
        "name service",
    ),
    Fault(
        "the certificate of another authority",
        "selvedge broker init /tmp/other --host localhost --device other >/dev/null;"
        + with_extra('[broker]\nca = "/tmp/other/devices/other/ca.crt"'),
        f"{UNPLANT_EXTRA}; rm -r /tmp/other",
        "broker",
        "certificate refused",
        "copy ca.crt",
    ),
    Fault(
        "a full disk",
        f"mount -t tmpfs -o size=1m full {STATE}; cat /dev/zero >{STATE}/waste 2>/dev/null; true",
        f"umount {STATE}",
        "state folder",
        "No space left",
        "make room",
    ),
    Fault(
        "a card that can only be read",
        f"mount -t tmpfs -o ro failed {STATE}",
        f"umount {STATE}",
        "state folder",
        "Read-only file system",
        "dmesg",
    ),
    Fault(
        "no serial port",
        with_extra('[mcus.absent]\nport = "/dev/ttyACM77"'),
        UNPLANT_EXTRA,
        "configuration",
        "mcus.absent.port: /dev/ttyACM77 is not there",
        "plug the device in",
    ),
    Fault(
        "no model",
        with_extra('[pipelines.digits-tflite]\nmodel = "/srv/models/none.tflite"'),
        UNPLANT_EXTRA,
        "configuration",
        "/srv/models/none.tflite",
        "copy the model there",
    ),
    Fault(
        "no SIMD",
        "sed -E 's/\\b(sse4_1|asimd|neon)\\b//g' /proc/cpuinfo >/tmp/cpuinfo;"
        "mount --bind /tmp/cpuinfo /proc/cpuinfo",
        "umount /proc/cpuinfo; rm /tmp/cpuinfo",
        "simd",
        "the processor has no",
        "--target scalar",
    ),
    Fault(
        "too little memory",
        "sed -E 's/(MemAvailable: *)[0-9]+/\\150000/' /proc/meminfo >/tmp/meminfo;"
        "mount --bind /tmp/meminfo /proc/meminfo",
        "umount /proc/meminfo; rm /tmp/meminfo",
        "memory",
        "48 of",
        "stop other programs",
    ),
    Fault(
        "a slip of the pen",
        with_extra('log_level = "loud"'),
        UNPLANT_EXTRA,
        "configuration",
        "log_level",
        "mend that line",
    ),
    Fault(
        "no tflite",
        f"mv {SITE}/ai_edge_litert /opt/selvedge/aside",
        f"mv /opt/selvedge/aside $(echo {SITE})/ai_edge_litert",
        "runtime",
        "tflite is not installed",
        "install ai-edge-litert",
        level="warn",
    ),
    Fault(
        "a service that ends again and again",
        with_drop_in("ExecStart=\nExecStart=/bin/false\nRestartSec=30")
        + "\nsystemctl restart selvedge-agent; true",
        f"{WITHOUT_DROP_IN}; systemctl restart selvedge-agent",
        "service",
        "selvedge-agent ends and is started again: exit-code",
        "journalctl -u selvedge-agent",
    ),
    Fault(
        "a service that fails",
        with_drop_in("ExecStart=\nExecStart=/bin/false\nRestart=no")
        + "\nsystemctl restart selvedge-agent; true",
        f"{WITHOUT_DROP_IN}; systemctl restart selvedge-agent",
        "service",
        "selvedge-agent is failed",
        "journalctl -u selvedge-agent",
    ),
)


CLOCK_FAULTS = (
    Fault(
        "a clock in 1970",
        SET_TO_1970,
        SET_AGAIN,
        "clock",
        "was never set",
        "timedatectl set-ntp true",
    ),
    Fault(
        "a clock in 1970, and a broker",
        SET_TO_1970,
        SET_AGAIN,
        "broker",
        "not yet valid",
        "set the clock",
    ),
)
"""Only for a machine whose clock is its own."""

_NAMED = {fault.name: fault for fault in (*FAULTS, *CLOCK_FAULTS)}
TEN = tuple(
    _NAMED[name]
    for name in (
        *("no camera group", "no broker", "the certificate of another authority"),
        *("a clock in 1970", "a full disk", "no serial port", "no model", "no SIMD"),
        *("too little memory", "a slip of the pen"),
    )
)
OTHERS = tuple(fault for fault in _NAMED.values() if fault not in TEN)
"""What is left to the campaign where each takes long."""


Findings = list[dict[str, Any]]


def findings(machine: AnyMachine, under: str = "") -> Findings:
    """What the doctor says in a machine."""
    told = machine.run("sh", "-c", f"{under} selvedge doctor --json", timeout_s=120)
    assert told.stdout, told.stderr
    tree: dict[str, Any] = json.loads(told.stdout)
    has_problem = any(each["level"] == "problem" for each in tree["findings"])
    assert told.returncode == (ExitCode.FINDINGS if has_problem else ExitCode.DONE)
    return list(tree["findings"])


def must_find(machine: AnyMachine, fault: Fault, told_when_well: Findings) -> None:
    """The doctor names a fault while it is there, and did not name it before."""
    assert not any(names(each, fault) for each in told_when_well)
    found = diagnosed(machine, fault)
    assert any(names(each, fault) for each in found), found


def diagnosed(machine: AnyMachine, fault: Fault) -> Findings:
    """Plant a fault, ask, and mend it; the findings of its kind."""
    must(machine, "sh", "-c", fault.plant)
    try:
        return [each for each in findings(machine, fault.under) if each["check"] == fault.check]
    finally:
        must(machine, "sh", "-c", fault.mend)


def names(finding: dict[str, Any], fault: Fault) -> bool:
    """Whether a finding is the one that a fault calls for."""
    return (
        finding["level"] == fault.level
        and fault.says in finding["text"]
        and fault.remedy in finding["remedy"]
    )
