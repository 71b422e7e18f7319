"""`apt install ./selvedge_*.deb` on a Debian that has no Python yet: apt brings what it needs."""

import json
from pathlib import Path

import pytest

from broker.contract.version import VERSION
from deploy.guest import minimal
from deploy.guest.copies import copied
from deploy.guest.namespace import running
from deploy.package.control import RECOMMENDED, dependencies
from deploy.package.targets import SUITES
from tests.support.any_machine import must
from tests.support.package_life import is_active, left
from tests.support.service_machine import (
    AGENT,
    ARCHITECTURE,
    CACHE,
    RUNTIMES,
    Workshop,
    journal,
    needs_root,
)

APT = ("env", "DEBIAN_FRONTEND=noninteractive", "apt", "-y")
APT_S = 300.0

pytestmark = needs_root


@pytest.mark.parametrize("suite", SUITES)
def test_apt_installs_and_removes_it(suite: str, workshop: Workshop, tmp_path: Path) -> None:
    named = {each.partition(" ")[0] for each in dependencies(SUITES[suite], ARCHITECTURE)}
    wanted = (*sorted(named), RECOMMENDED)
    made = minimal.build(suite, ARCHITECTURE.debian, wanted, CACHE / "guest")
    package = workshop.package(suite)
    with copied(made, tmp_path / "machine") as root, running(root) as debian:
        (root / "srv" / package.name).write_bytes(package.read_bytes())
        assert debian.run("which", "python3").returncode == 1
        assert left(debian) == []

        must(debian, *APT, "install", f"/srv/{package.name}", timeout_s=APT_S)
        assert must(debian, "selvedge", "--version").split()[-1] == VERSION
        assert must(debian, "systemctl", "is-enabled", AGENT) == "enabled\n"
        assert is_active(debian), journal(debian)
        assert {"python3", "mosquitto"} <= set(must(debian, "apt-mark", "showauto").split())
        must(debian, "apt-get", "check")
        told = json.loads(debian.run("selvedge", "doctor", "--json", timeout_s=APT_S).stdout)
        assert set(RUNTIMES) <= set(told["runtimes"])

        must(debian, *APT, "remove", "selvedge", timeout_s=APT_S)
        assert debian.run("selvedge", "--version").returncode == 127
        assert (root / "etc/selvedge/agent.toml").exists()
        must(debian, *APT, "purge", "selvedge", timeout_s=APT_S)
        assert left(debian) == []
