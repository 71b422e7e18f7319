"""The chain on an emulated Pi with Debian 13: its kernel, its systemd, and Python 3.13.

`make test` has it on Debian 12, and goes on to a federated round.
"""

import os
from pathlib import Path

import pytest

from deploy.emulator import image, installation
from deploy.emulator.machine import HOST, Machine
from deploy.package.targets import SUITES
from tests.support.pi_chain import CHAIN, DEVICE, Log, Watch, World, configuration, walk
from tests.support.pi_machine import ARCHITECTURE, CACHE, package, prepare
from tests.support.pi_service import secured
from tests.support.secured_broker import tls

SUITE = SUITES["trixie"]
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="file systems are made by root")


def test_from_power_on_to_an_answer_of_the_microcontroller(
    models: dict[str, Path], tmp_path: Path
) -> None:
    base = image.build(SUITE, ARCHITECTURE, CACHE)
    disk = installation.copy(installation.build(base, package(SUITE), CACHE), tmp_path)
    with secured() as broker:
        credentials = {one.name: one for one in (broker.root / "devices" / DEVICE).iterdir()}
        text = configuration(f"mqtts://{HOST}:{broker.port}", secured=True)
        prepare(base, disk, models | credentials, text)
        operator = tls(broker.root / "operators/admin")
        with Watch(broker.operators_port, operator) as watch, Machine(base, disk) as pi:
            walk(World(pi, watch), CHAIN, Log(CACHE / "chain-trixie.log"))
            python = pi.must("/opt/selvedge/bin/python3", "--version")
            assert python.startswith(f"Python {SUITE.python}.")
