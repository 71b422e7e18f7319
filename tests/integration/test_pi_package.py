"""The package on an emulated Pi, as its own dpkg and systemd see it come, change and go."""

import os
import time
from pathlib import Path

import pytest

from broker.contract.version import VERSION
from deploy.emulator.image import Base
from deploy.emulator.machine import Machine
from deploy.package.control import package_version
from tests.support.any_machine import must
from tests.support.package_life import CONFIGURATION, changes_and_goes, is_active, newer_than
from tests.support.pi_machine import SUITE
from tests.support.service_machine import AGENT, journal

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="file systems are made by root")
OF_PIPELINES = ("numpy", "numpy.libs", "ai_edge_litert", "wasmtime", "cryptography")
"""Libraries that the main process does without: most of what would be compiled in there."""


def test_it_is_installed_upgraded_not_downgraded_removed_and_purged(
    base: Base, disk: Path, deb: Path, tmp_path: Path
) -> None:
    newer = newer_than(deb, SUITE, tmp_path, OF_PIPELINES)
    with Machine(base, disk, restores=True) as pi:
        pi.wait_until_up()
        pi.set_clock(time.time())
        shown = must(pi.agent, "dpkg-query", "-W", "-f", "${Status} ${Version}", "selvedge")
        assert shown == f"install ok installed {package_version(VERSION, SUITE)}"
        assert must(pi.agent, "systemctl", "is-enabled", AGENT) == "enabled\n"
        assert must(pi.agent, "dpkg", "--verify", "selvedge") == ""
        # A change of the administrator's, which an upgrade may not take back.
        must(pi.agent, "sed", "-i", "s/^#device_id/device_id/", CONFIGURATION)
        must(pi.agent, "systemctl", "start", "--no-block", AGENT)
        assert is_active(pi.agent), journal(pi.agent)
        with pi.stick({path.name: path for path in (deb, newer)}) as stick:
            changes_and_goes(pi.agent, SUITE, f"{stick}/{deb.name}", f"{stick}/{newer.name}")
