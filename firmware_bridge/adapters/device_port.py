"""A device's port as it comes and goes: looked for, opened by one owner, lost, looked for again."""

import secrets
from collections.abc import Collection

from firmware_bridge.adapters.discovery import Place, candidates
from firmware_bridge.adapters.serial_port import SerialPort
from firmware_bridge.bridge.accelerator import Accelerator
from firmware_bridge.calls.client import Client
from firmware_bridge.errors import PortError
from firmware_bridge.link.host import Host


class DevicePort:
    """What carries bytes between a port and its accelerator.

    Attributes:
        port: the open port; None while there is none.
    """

    def __init__(self, device: Accelerator, place: Place) -> None:
        self._device = device
        self._place = place
        self.port: SerialPort | None = None

    @property
    def url(self) -> str:
        """Where the device is; empty while it is nowhere."""
        return self.port.url if self.port else ""

    def look(self, taken: Collection[str]) -> None:
        """Look for the port, and open it if it is there and free.

        Args:
            taken: ports that are others'.
        """
        refusal = "its port is not there"
        for url in candidates(self._place):
            if url in taken:
                continue
            try:
                self.port = SerialPort(url, self._place.baud)
            except PortError as error:
                refusal = str(error)
                continue
            host = Host(lambda: secrets.randbits(32))
            self._device.attach(Client(host, secrets.randbits(32)), url)
            return
        self._device.reason = refusal

    def read(self, now_ms: int) -> None:
        """Take what came.

        Raises:
            PortError: the port is gone.
        """
        if self.port is not None:
            self._device.receive(self.port.read(), now_ms)

    def write(self) -> None:
        """Write what is due.

        Raises:
            PortError: the port is gone.
        """
        if self.port is not None:
            self.port.write(self._device.take_output())

    def lose(self, reason: str, now_ms: int) -> None:
        """Give the port up."""
        if self.port is not None:
            self.port.close()
        self.port = None
        self._device.detach(reason, now_ms)
