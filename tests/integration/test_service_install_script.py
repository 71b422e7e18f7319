"""`install.sh` on a Debian without the package: what it says it would do, does, and takes back."""

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from deploy.guest.copies import copied
from deploy.guest.namespace import NamespaceMachine, running
from deploy.package.wheels import ROOT
from tests.support.service_machine import (
    Workshop,
    eventually,
    journal,
    needs_root,
    of_unit,
)

SUITE = "bookworm"
SCRIPT = "/srv/selvedge/install.sh"
PLACES = (
    *("opt/selvedge", "usr/local/bin/selvedge", "etc/udev/rules.d/60-selvedge.rules"),
    *("etc/systemd/system/selvedge-agent.service", "etc/systemd/system/selvedge-broker.service"),
)

pytestmark = needs_root


@pytest.fixture(scope="module")
def machine(
    workshop: Workshop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NamespaceMachine]:
    """A Debian with the source tree's `deploy` and a folder of wheels, and no more of ours."""
    folder = tmp_path_factory.mktemp("machine")
    with copied(workshop.bare(SUITE), folder) as root, running(root) as machine:
        shutil.copytree(ROOT / "deploy", root / "srv/selvedge")
        shutil.copytree(workshop.wheels(SUITE), root / "srv/wheels")
        yield machine


def script(machine: NamespaceMachine, *options: str) -> subprocess.CompletedProcess[str]:
    # No network in there: pip takes what the folder has, and wasm3, which it lacks, is left out.
    pip = ("PIP_NO_INDEX=1", "PIP_FIND_LINKS=/srv/wheels")
    return machine.run("env", *pip, "sh", SCRIPT, *options, timeout_s=300)


def there(machine: NamespaceMachine) -> list[str]:
    return [place for place in PLACES if machine.run("test", "-e", f"/{place}").returncode == 0]


def test_it_comes_and_goes(machine: NamespaceMachine, workshop: Workshop) -> None:
    wheel = f"/srv/wheels/{workshop.wheel().name}"
    told = script(machine, "--dry-run", "--wheel", wheel)
    assert told.returncode == 0, told.stderr
    assert "would run: python3 -m venv /opt/selvedge" in told.stdout
    assert there(machine) == []

    told = script(machine, "--wheel", wheel)
    assert told.returncode == 0, told.stderr
    assert "wasm3 cannot be built here" in told.stderr
    assert there(machine) == list(PLACES)
    assert eventually(lambda: of_unit(machine, "ActiveState") == "active", 60), journal(machine)
    assert "video" in of_unit(machine, "SupplementaryGroups").split()
    assert "wasmtime" in machine.run("selvedge", "doctor").stdout
    state = machine.root / "var/lib/private/selvedge"
    assert state.is_dir()

    again = script(machine, "--wheel", wheel)
    assert again.returncode == 0, again.stderr
    assert eventually(lambda: of_unit(machine, "ActiveState") == "active", 60), journal(machine)

    told = script(machine, "--uninstall", "--dry-run")
    assert "would run: rm -rf /opt/selvedge" in told.stdout
    assert there(machine) == list(PLACES)
    told = script(machine, "--uninstall")
    assert told.returncode == 0, told.stderr
    assert there(machine) == []
    assert machine.run("pgrep", "-f", "selvedge").stdout == ""
    assert state.is_dir()
    assert (machine.root / "etc/selvedge/agent.toml").exists()
    told = script(machine, "--uninstall", "--purge")
    assert told.returncode == 0, told.stderr
    assert not state.exists()
    assert not (machine.root / "etc/selvedge").exists()
