"""The package on both releases of Debian: what is in it, and how it comes, changes and goes."""

import gzip
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.contract.version import VERSION
from deploy.guest.namespace import NamespaceMachine
from deploy.package.targets import SUITES, Suite
from deploy.package.wheels import ROOT
from tests.support.package_life import changes_and_goes, is_active, newer_than
from tests.support.service_machine import (
    AGENT,
    RUNTIMES,
    Workshop,
    hear,
    journal,
    needs_root,
    of_unit,
    serving,
)

pytestmark = needs_root


@pytest.fixture(scope="module", params=SUITES.values(), ids=SUITES)
def suite(request: pytest.FixtureRequest) -> Suite:
    return request.param


@pytest.fixture(scope="module")
def machine(
    suite: Suite, workshop: Workshop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NamespaceMachine]:
    with serving(workshop, suite.name, tmp_path_factory.mktemp("machine")) as machine:
        yield machine


def test_it_serves_under_every_runtime(machine: NamespaceMachine, suite: Suite) -> None:
    assert {result["runtime"] for result in hear(machine, *RUNTIMES)} == set(RUNTIMES)
    told = machine.run("/opt/selvedge/bin/python3", "-c", "import sys; print(sys.version)")
    assert told.stdout.startswith(f"{suite.python}.")


def test_what_lies_where(machine: NamespaceMachine, suite: Suite) -> None:
    assert machine.run("selvedge", "--version").stdout.split()[-1] == VERSION
    page = gzip.decompress((machine.root / "usr/share/man/man1/selvedge.1.gz").read_bytes())
    assert b".SS selvedge doctor" in page
    completed = machine.run(
        *("bash", "-c"),
        ". /usr/share/bash-completion/completions/selvedge; COMP_WORDS=(selvedge doc) COMP_CWORD=1;"
        "_selvedge; echo ${COMPREPLY[*]}",
    )
    assert completed.stdout.strip() == "doctor", completed.stderr
    site = machine.root / f"opt/selvedge/lib/python{suite.python}/site-packages"
    tag = f"cpython-{suite.python.replace('.', '')}"
    for name in ("agent/__pycache__/app", "paho/mqtt/__pycache__/client"):
        assert (site / f"{name}.{tag}.pyc").exists()
    (engine,) = (site / "agent/runtime/engines").glob("*.so")
    assert engine.name == "libselvedge-x86_64.so"
    assert {path.name for path in (machine.root / "usr/share/doc/selvedge").iterdir()} == {
        *("changelog.gz", "copyright")
    }
    assert (machine.root / "lib/udev/rules.d/60-selvedge.rules").exists()
    assert (machine.root / "etc/selvedge/credentials").stat().st_mode & 0o777 == 0o700
    assert machine.run("dpkg", "--verify", "selvedge").stdout.split() == [
        *("??5??????", "c", "/etc/selvedge/agent.toml")
    ]


def test_the_script_for_systems_without_apt_leaves_it_alone(machine: NamespaceMachine) -> None:
    shutil.copy(ROOT / "deploy/install.sh", machine.root / "srv")
    for options in ((), ("--uninstall",)):
        refused = machine.run("sh", "/srv/install.sh", *options)
        assert refused.returncode == 6
        assert "the package selvedge is installed" in refused.stderr
    assert (machine.root / "opt/selvedge").is_dir()
    (machine.root / "srv/install.sh").unlink()


def test_an_upgrade_leaves_a_service_off_that_was_switched_off(machine: NamespaceMachine) -> None:
    script = ("sh", "/var/lib/dpkg/info/selvedge.postinst", "configure", "0.0.1")
    machine.run("systemctl", "disable", "--now", AGENT)
    assert machine.run(*script, timeout_s=300).returncode == 0
    machine.run("systemctl", "daemon-reload")
    assert of_unit(machine, "ActiveState") == "inactive"
    machine.run("systemctl", "enable", AGENT)
    assert machine.run(*script, timeout_s=300).returncode == 0
    assert is_active(machine), journal(machine)


def test_it_is_upgraded_not_downgraded_removed_and_purged(
    machine: NamespaceMachine, suite: Suite, workshop: Workshop, tmp_path: Path
) -> None:
    package = workshop.package(suite.name)
    newer = newer_than(package, suite, tmp_path)
    shutil.copy(newer, machine.root / "srv")
    changes_and_goes(machine, suite, f"/srv/{package.name}", f"/srv/{newer.name}")
