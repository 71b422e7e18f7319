"""An emulated Pi whose agent serves a broker of this machine under TLS, without a boot."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.emulator import installation
from deploy.emulator.image import Base
from deploy.emulator.machine import HOST, Machine
from tests.support.agents import TrainedDigits
from tests.support.doctor_faults import Findings, findings
from tests.support.pi_chain import AGENT, DEVICE, PATIENCE_S, Watch, configuration
from tests.support.pi_machine import configure, models_of
from tests.support.secured_broker import Fleet, free_pair, init, tls
from tests.support.service_probe import broker_only

PIPELINE = "digits-tflite"


@dataclass
class ServingPi:
    """It, and what its fleet's operator sees of it."""

    machine: Machine
    watch: Watch
    broker: Fleet


@contextmanager
def secured(*members: str) -> Iterator[Fleet]:
    """A broker whose certificate is good for the address that the guest knows.

    Args:
        members: options for `broker init` that name more than the Pi.
    """
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)  # a broker started by root gives up root and must get there
        root, port = Path(parent) / "fleet", free_pair()
        words = ["--host", HOST, "--host", "127.0.0.1", "--device", DEVICE, "--port", str(port)]
        assert init(root, *words, *members) == 0
        fleet = Fleet(root, port)
        try:
            yield fleet
        finally:
            fleet.process.stop()


@contextmanager
def serving(base: Base, disk: Path, models: dict[str, Path]) -> Iterator[ServingPi]:
    """Restore a Pi, configure it, and wait until results of its camera arrive.

    Its agent may reach the broker only, as the documentation shows.

    Args:
        disk: with the package; it is written to.
    """
    with secured() as broker:
        text = configuration(
            f"mqtts://{HOST}:{broker.port}", secured=True, pipeline=PIPELINE, rate_hz=1.0
        )
        credentials = {path.name: path for path in (broker.root / "devices" / DEVICE).iterdir()}
        operator = tls(broker.root / "operators/admin")
        with (
            Watch(broker.operators_port, operator) as watch,
            Machine(base, disk, restores=True) as pi,
        ):
            pi.wait_until_up()
            configure(pi, models | credentials, text)
            folder = f"/etc/systemd/system/{AGENT}.d"
            pi.must("mkdir", "-p", folder)
            pi.agent.write(f"{folder}/broker-only.conf", broker_only(HOST).encode())
            pi.must("systemctl", "daemon-reload")
            pi.must("systemctl", "start", "--no-block", AGENT)
            watch.wait(lambda: len(watch.of(PIPELINE)) > 0, PATIENCE_S)
            yield ServingPi(pi, watch, broker)


@pytest.fixture(scope="module")
def serving_pi(
    base: Base,
    installed: Path,
    digits: TrainedDigits,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ServingPi]:
    """One for the tests of a module."""
    folder = tmp_path_factory.mktemp("serving-pi")
    disk = installation.copy(installed, folder)
    with serving(base, disk, models_of(digits, folder)) as pi:
        yield pi


@pytest.fixture(scope="module")
def told_when_well(serving_pi: ServingPi) -> Findings:
    """What the doctor says before anything is planted."""
    return findings(serving_pi.machine.agent)
