"""A serial port by pyserial: a device file, a pty, or a URL such as `socket://HOST:PORT`."""

import select
from contextlib import suppress
from errno import EACCES, ENOENT

import serial

from firmware_bridge.errors import PortError

BAUD = 921_600
READ_BYTES = 4096
MAX_UNSENT_BYTES = 1 << 16


class SerialPort:
    """An open port that nobody else may open; reads and writes never wait.

    Raises:
        PortError: from any method: the port cannot be opened, is taken, or is gone.
    """

    def __init__(self, url: str, baud: int = BAUD) -> None:
        self.url = url
        self._unsent = bytearray()
        try:
            self._serial = serial.serial_for_url(
                url, baudrate=baud, timeout=0, write_timeout=0, do_not_open=True
            )
            if "://" not in url:
                self._serial.exclusive = True
            self._serial.open()
        except (serial.SerialException, OSError, ValueError) as error:
            raise PortError(f"port {url}: {_told(error)}") from None

    def fileno(self) -> int:
        """For `select`."""
        return int(self._serial.fileno())

    def read(self) -> bytes:
        """What has come; perhaps nothing."""
        try:
            return bytes(self._serial.read(READ_BYTES))
        except (serial.SerialException, OSError, TypeError) as error:
            raise PortError(f"port {self.url}: {_told(error)}") from None

    def write(self, data: bytes) -> None:
        """Write as much as there is room for, and keep the rest for the next time."""
        self._unsent += data
        if not self._unsent:
            return
        try:
            sent = self._serial.write(bytes(self._unsent))
        except serial.SerialTimeoutException:
            sent = 0
        except (serial.SerialException, OSError) as error:
            raise PortError(f"port {self.url}: {_told(error)}") from None
        del self._unsent[: sent or 0]
        if len(self._unsent) > MAX_UNSENT_BYTES:
            raise PortError(f"port {self.url}: takes no more bytes; is the device hung?")

    @property
    def has_unsent(self) -> bool:
        """Whether `write` must be called again."""
        return bool(self._unsent)

    def wait(self, timeout_s: float) -> None:
        """Sleep until bytes come, or until bytes may be written if some wait for that."""
        writers = [self.fileno()] if self._unsent else []
        with suppress(InterruptedError):
            select.select([self.fileno()], writers, [], max(0.0, timeout_s))

    def close(self) -> None:
        """Give the port back."""
        with suppress(OSError, serial.SerialException):
            self._serial.close()


def _told(error: Exception) -> str:
    text = " ".join(str(error).split())
    if getattr(error, "errno", None) == ENOENT:
        return "no such port"
    if getattr(error, "errno", None) == EACCES:
        return "no permission; sudo usermod -aG dialout $USER, then log in again"
    if "lock" in text:
        return "is in use by another program; only one may own it"
    return text or type(error).__name__
