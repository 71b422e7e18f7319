"""How an installed package changes and goes, on any Debian: in namespaces or on an emulated Pi."""

import shutil
from pathlib import Path

from broker.contract.version import VERSION
from deploy.package.control import package_version
from deploy.package.targets import Suite
from tests.support.any_machine import AnyMachine, must
from tests.support.service_machine import eventually, journal, of_unit, packed, unpacked

NEWER = "99.0"
CONFIGURATION = "/etc/selvedge/agent.toml"
STATE = "/var/lib/private/selvedge"
INSTALL_S = 900.0
"""An emulated processor compiles every file of Python."""
ACTIVE_S = 240.0
"""On a processor that many want, systemd ends a slow start after 120 s and makes another."""


def newer_than(package: Path, suite: Suite, folder: Path, without: tuple[str, ...] = ()) -> Path:
    """The same files under another number: what counts here are the scripts.

    Args:
        without: patterns in `site-packages` of what the newer one has no longer.
    """
    root = unpacked(package, folder / "unpacked")
    for name in ("control", "preinst"):
        text = (root / "DEBIAN" / name).read_text()
        present, next_one = (package_version(each, suite) for each in (VERSION, NEWER))
        assert present in text
        (root / "DEBIAN" / name).write_text(text.replace(present, next_one))
    for pattern in without:
        for gone in root.glob(f"opt/selvedge/lib/python3*/site-packages/{pattern}"):
            shutil.rmtree(gone)
    return packed(root, folder / f"newer-{package.name}")


def changes_and_goes(machine: AnyMachine, suite: Suite, package: str, newer: str) -> None:
    """Upgrade, refused downgrade, removal and purge of an installed package that is active.

    Args:
        package: path in there of the one that is installed.
        newer: path in there of what `newer_than` made of it.
    """
    next_one = package_version(NEWER, suite)
    kept = f"{STATE}/kept"
    must(machine, "sh", "-c", f"echo state >{kept}")
    configured = must(machine, "cat", CONFIGURATION)
    before = main_process(machine)

    must(machine, *dpkg_install(newer, "--force-confold"), timeout_s=INSTALL_S)
    assert must(machine, "cat", kept) == "state\n"
    assert must(machine, "cat", CONFIGURATION) == configured
    assert is_active(machine), journal(machine)
    assert main_process(machine) != before, "the old program still runs"

    running = main_process(machine)
    refused = machine.run(*dpkg_install(package), timeout_s=INSTALL_S)
    assert refused.returncode != 0
    assert f"the state of {next_one}" in refused.stderr
    assert f"Version: {next_one}" in must(machine, "dpkg", "-s", "selvedge").splitlines()
    assert is_active(machine), journal(machine)
    assert main_process(machine) == running
    script = ("sh", "/var/lib/dpkg/info/selvedge.preinst", "upgrade", "100.0")
    assert machine.run(*script).returncode == 1
    must(machine, "env", "SELVEDGE_DOWNGRADE=1", *script)

    must(machine, "dpkg", "--remove", "selvedge", timeout_s=INSTALL_S)
    assert machine.run("test", "-e", "/opt/selvedge").returncode == 1
    assert machine.run("pgrep", "-f", "selvedge").stdout == ""
    assert must(machine, "cat", CONFIGURATION) == configured
    assert must(machine, "cat", kept) == "state\n"
    refused = machine.run(*dpkg_install(package), timeout_s=INSTALL_S)
    assert f"the state of {next_one}" in refused.stderr

    must(machine, "dpkg", "--purge", "selvedge")
    assert left(machine) == []


def left(machine: AnyMachine) -> list[str]:
    """Every file and folder with our name in it, but for the packages that a test brought along."""
    found = must(machine, "find", "/", "-xdev", "-name", "*selvedge*", "-not", "-name", "*.deb")
    return found.splitlines()


def dpkg_install(package: str, *options: str) -> list[str]:
    """These guests are made of unpacked packages: their dpkg does not know that Python is there."""
    return ["dpkg", "-i", "--force-depends", "--force-unsafe-io", *options, package]


def is_active(machine: AnyMachine) -> bool:
    """Whether systemd has heard from it within the time."""
    return eventually(lambda: of_unit(machine, "ActiveState") == "active", ACTIVE_S)


def main_process(machine: AnyMachine) -> str:
    """Its number."""
    return of_unit(machine, "MainPID")
