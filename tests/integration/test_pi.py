"""The package on an emulated Raspberry-Pi-class machine: arm64, Debian's kernel, systemd."""

import os
from pathlib import Path

import pytest

from deploy.emulator import raspberry
from deploy.emulator.image import Base
from deploy.emulator.machine import HOST, Machine
from tests.support.pi_chain import CHAIN, DEVICE, Log, Watch, World, configuration, walk
from tests.support.pi_machine import CACHE, configure
from tests.support.secured_broker import secured_broker

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="file systems are made by root")


def test_from_power_on_to_an_answer_of_the_microcontroller(
    base: Base, disk: Path, models: dict[str, Path]
) -> None:
    log = Log(CACHE / "chain.log")
    with secured_broker(HOST, DEVICE) as broker:
        text = configuration(f"mqtts://{HOST}:{broker.port}", secured=True)
        with Machine(base, disk, restores=True) as pi:
            pi.wait_until_up()
            log.note("restored", "a machine with the package on it")
            configure(pi, models | broker.credentials(), text)
            pi.shut_down()
            log.note("configured", "and shut down")
        with (
            Watch(broker.port + 1, broker.prepare) as watch,
            Machine(base, disk) as pi,
        ):
            walk(World(pi, watch), CHAIN, log)


def test_the_same_disk_boots_from_the_card_of_a_raspberry(base: Base, tmp_path: Path) -> None:
    said = raspberry.boot(base, tmp_path, ("Raspberry Pi 3 Model B", "mmcblk0", "login:"))
    assert "Kernel panic" not in said
