"""A mosquitto under the files that `selvedge broker init` writes, and clients with certificates."""

import socket
from collections.abc import Callable
from pathlib import Path
from random import SystemRandom

import paho.mqtt.client as mqtt

import selvedge
from broker.adapters.engine_process import EngineProcess, unprivileged_account
from broker.adapters.mosquitto_engine import find_mosquitto
from tests.support.brokers import TestClient

FIRST_PORT, PORTS = 21_000, 11_000


def init(root: Path, *arguments: str) -> int:
    """Run `selvedge broker init`."""
    return selvedge.main(["broker", "init", str(root), *arguments])


class Fleet:
    """A folder made by the command, and a mosquitto that runs on it.

    Attributes:
        port: for devices; `operators_port` is for operators and aggregators.
    """

    def __init__(self, root: Path, port: int) -> None:
        self.root = root
        self.port = port
        self.operators_port = port + 1
        conf = root / "mosquitto" / "mosquitto.conf"
        program = find_mosquitto()
        assert program is not None
        self.process = EngineProcess([program, "-v", "-c", str(conf)], unprivileged_account())

    def client(self, member: str, client_id: str = "", **options) -> TestClient:
        return TestClient(client_id or "any", prepare=tls(self.root / member), **options)

    def device(self, name: str, client_id: str = "", **options) -> TestClient:
        return self.client(f"devices/{name}", client_id, **options).connect(self.port, "localhost")

    def operator(self, client_id: str = "desk") -> TestClient:
        client = self.client("operators/admin", client_id)
        return client.connect(self.operators_port, "localhost")


def tls(folder: Path) -> Callable[[mqtt.Client], None]:
    """What gives a client the certificate of a member."""

    def prepare(paho: mqtt.Client) -> None:
        paho.tls_set(
            str(folder / "ca.crt"),
            certfile=str(folder / "client.crt"),
            keyfile=str(folder / "client.key"),
        )

    return prepare


def files(folder: Path) -> list[str]:
    """Options of a command that speaks to the broker as this member."""
    named = {"ca": "ca.crt", "cert": "client.crt", "key": "client.key"}
    return [word for name, file in named.items() for word in (f"--{name}", str(folder / file))]


def free_pair() -> int:
    """A port that is free together with the next one.

    Outgoing connections take none of these; runs of tests at the same time look elsewhere first.
    """
    first = SystemRandom().randrange(0, PORTS, 2)
    for number in range(0, PORTS, 2):
        port = FIRST_PORT + (first + number) % PORTS
        try:
            for one in (port, port + 1):
                socket.create_server(("127.0.0.1", one)).close()
        except OSError:
            continue
        return port
    raise AssertionError("no free ports")
