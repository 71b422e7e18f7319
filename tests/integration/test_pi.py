"""The package on an emulated Raspberry-Pi-class machine: arm64, Debian's kernel, systemd."""

import os
from pathlib import Path

import pytest

from deploy.emulator import raspberry
from deploy.emulator.image import Base
from deploy.emulator.machine import HOST, Machine
from tests.support.pi_chain import CHAIN, DEVICE, Log, Watch, World, configuration, walk
from tests.support.pi_learning import HUB, LEARNING, NEIGHBOUR, neighbourhood, own_files
from tests.support.pi_machine import CACHE, configure
from tests.support.pi_service import secured
from tests.support.secured_broker import tls

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="file systems are made by root")


def test_from_power_on_to_a_model_that_it_has_helped_to_train(
    base: Base, disk: Path, models: dict[str, Path], tmp_path: Path
) -> None:
    log = Log(CACHE / "chain.log")
    with secured("--device", NEIGHBOUR, "--aggregator", HUB) as broker:
        text = configuration(f"mqtts://{HOST}:{broker.port}", secured=True)
        own = broker.root / "devices" / DEVICE
        credentials = {path.name: path for path in own.iterdir()}
        with Machine(base, disk, restores=True) as pi:
            pi.wait_until_up()
            log.note("restored", "a machine with the package on it")
            configure(pi, models | own_files(tmp_path) | credentials, text)
            pi.shut_down()
            log.note("configured", "and shut down")
        operator = tls(broker.root / "operators/admin")
        with (
            neighbourhood(broker, tmp_path),
            Watch(broker.operators_port, operator) as watch,
            Machine(base, disk) as pi,
        ):
            walk(World(pi, watch), (*CHAIN, *LEARNING), log)


def test_the_same_disk_boots_from_the_card_of_a_raspberry(base: Base, tmp_path: Path) -> None:
    said = raspberry.boot(base, tmp_path, ("Raspberry Pi 3 Model B", "mmcblk0", "login:"))
    assert "Kernel panic" not in said
