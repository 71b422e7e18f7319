"""What freezes on an emulated Pi is started anew: the main process by systemd, a pipeline by it."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.adapters.private_broker import RunningBroker
from deploy.emulator.image import Base
from deploy.emulator.machine import HOST, Machine
from tests.support.pi_chain import AGENT, DEVICE, PATIENCE_S, Watch, journal
from tests.support.pi_machine import configure
from tests.support.pi_power import PIPELINE, configuration, instance, serves
from tests.support.service_machine import of_unit

WATCHDOG_S = 20
DEADLINE_MS = 5000
SOON = f"[Service]\nWatchdogSec={WATCHDOG_S}\nRestartSec=0\n"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="file systems are made by root")


def pipelines(pi: Machine) -> list[str]:
    return pi.agent.run("pgrep", "-f", "agent.pipeline.app").stdout.split()


def eventually(pi: Machine, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, journal(pi)
        time.sleep(0.5)


def test_what_freezes_is_started_anew(
    base: Base, disk: Path, models: dict[str, Path], mosquitto: RunningBroker
) -> None:
    port = mosquitto.address.port
    with Watch(port) as watch, Machine(base, disk, restores=True) as pi:
        pi.wait_until_up()
        text = configuration(f"mqtt://{HOST}:{port}", deadline_ms=DEADLINE_MS)
        configure(pi, models, text)
        folder = f"/etc/systemd/system/{AGENT}.d"
        pi.must("mkdir", "-p", folder)
        pi.agent.write(f"{folder}/soon.conf", SOON.encode())
        pi.must("systemctl", "daemon-reload")
        pi.must("systemctl", "start", "--no-block", AGENT)
        serves(watch, None)

        # A pipeline that stands still: the main process ends it and starts another.
        (child,) = pipelines(pi)
        pi.must("kill", "-STOP", child)
        eventually(pi, lambda: child not in pipelines(pi) and len(pipelines(pi)) == 1)
        before = len(watch.of(PIPELINE))
        watch.wait(lambda: len(watch.of(PIPELINE)) > before + 20, PATIENCE_S)
        assert of_unit(pi.agent, "NRestarts") == "0"

        # The main process stands still: systemd ends it, and starts the service anew.
        main = of_unit(pi.agent, "MainPID")
        last = instance(watch)
        pi.must("kill", "-STOP", main)
        eventually(pi, lambda: of_unit(pi.agent, "NRestarts") == "1")
        serves(watch, last)
        assert of_unit(pi.agent, "MainPID") not in (main, "0")
        told = pi.must("journalctl", "-u", AGENT, "--no-pager", "-o", "cat")
        assert "Watchdog timeout" in told
        assert watch.status(DEVICE) is not None
