"""Readiness and watchdog messages for systemd (sd_notify(3)); nothing where there is no systemd."""

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Speaks to the service manager that started us."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        watchdog_us = environment.get("WATCHDOG_USEC", "")
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watched = watchdog_us.isdecimal() and int(watchdog_us) > 0 and ours and self._address
        self.ping_interval_s = int(watchdog_us) / 2e6 if watched else None

    def notify(self, message: str) -> None:
        """Send e.g. `READY=1`; a manager that is gone does no harm."""
        if not self._address:
            return
        path = self._address
        if path.startswith("@"):
            path = "\0" + path[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)  # a manager that does not read must not stop us
                sender.sendto(message.encode("utf-8"), path)
        except OSError:
            return
