"""A private broker for the demo, for tests and for a desk: mosquitto if installed, else amqtt."""

import contextlib
import errno
import importlib.util
import shutil
import socket
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from broker.adapters.amqtt_process import start_amqtt
from broker.adapters.engine_process import EngineProcess
from broker.adapters.listen_address import ListenAddress
from broker.adapters.mosquitto_engine import find_mosquitto, start_mosquitto
from broker.errors import ConfigError, LinkError, UnavailableError

Engine = Literal["mosquitto", "amqtt"]
ANY_PORT = ListenAddress(port=0)


@dataclass(frozen=True)
class RunningBroker:
    """A broker that ends with this process at the latest; leaving the context stops it.

    Attributes:
        address: where it listens; starting another on it right after the end of this one works.
        engine: the program that serves.
    """

    address: ListenAddress
    engine: Engine
    process: EngineProcess
    folder: Path | None = None

    @property
    def url(self) -> str:
        """The URL by which clients on this machine connect."""
        return self.address.url

    @property
    def pid(self) -> int:
        """Process id of the program that serves."""
        return self.process.pid

    def stop(self) -> None:
        """End the broker in order, and remove what it left behind."""
        self.process.stop()
        self._clean()

    def kill(self) -> None:
        """End the broker with SIGKILL, as a crash would."""
        self.process.kill()
        self._clean()

    def _clean(self) -> None:
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start(
    listen: ListenAddress = ANY_PORT,
    engine: Engine | Literal["auto"] = "auto",
    state: Path | None = None,
) -> RunningBroker:
    """Start a broker and return once it accepts connections.

    Args:
        listen: port 0 takes a free one, found in the `address` of the result.
        engine: `auto` takes mosquitto where it is installed, else amqtt.
        state: folder in which mosquitto keeps what is retained; without one nothing outlives it.

    Raises:
        LinkError: the port is taken or the engine does not start.
        ConfigError: the state folder cannot be used, or the engine keeps no state.
        UnavailableError: the engine is not installed.
    """
    program = find_mosquitto() if engine != "amqtt" else None
    if program is None and engine == "mosquitto":
        raise UnavailableError("mosquitto is not installed: sudo apt install mosquitto")
    if program is None and importlib.util.find_spec("amqtt") is None:
        raise UnavailableError(
            "no broker is installed: sudo apt install mosquitto, or pip install 'selvedge[broker]'"
        )
    if program is None and state is not None:
        raise ConfigError("amqtt keeps no state: install mosquitto, or leave out the state folder")
    address = _reserve(listen)
    if program is None:
        return RunningBroker(address, "amqtt", start_amqtt(address))
    process, folder = start_mosquitto(program, address, state)
    return RunningBroker(address, "mosquitto", process, folder)


def _reserve(listen: ListenAddress) -> ListenAddress:
    """Fail early, and in one line, when the port is taken; find one if any will do."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with contextlib.closing(socket.socket(family, kind, protocol)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
            return replace(listen, port=probe.getsockname()[1])
    except OSError as error:
        remedy = " (another broker runs there?)" if error.errno == errno.EADDRINUSE else ""
        where_text = f"{listen.host}:{listen.port}"
        raise LinkError(f"cannot listen on {where_text}: {error.strerror}{remedy}") from error
