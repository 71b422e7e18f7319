"""`python -m deploy.emulator` on a terminal: one logs in, looks around, and switches it off."""

import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

from deploy.emulator.image import Base
from deploy.package.wheels import ROOT

PATIENCE_S = 240.0
TTY = "\r"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="file systems are made by root")


class Terminal:
    """A pseudo terminal with a program on it."""

    def __init__(self, *words: str) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.said = ""

    def until(self, words: str) -> None:
        """Read until these words have come after what was read before."""
        before = len(self.said)
        deadline = time.monotonic() + PATIENCE_S
        while words not in self.said[before:]:
            assert time.monotonic() < deadline, self.said[-800:]
            if select.select([self._master], [], [], 1.0)[0]:
                try:
                    self.said += os.read(self._master, 65536).decode(errors="replace")
                except OSError:  # nobody is at the other end any more
                    raise AssertionError(f"it ended: {self.said[-800:]}") from None

    def type(self, words: str) -> None:
        """A line, as somebody types it."""
        os.write(self._master, f"{words}{TTY}".encode())

    def drain(self) -> None:
        """Read to the end, so that the other side can end."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                if not os.read(self._master, 65536):
                    return
            except OSError:
                return

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._master)


def test_one_logs_in_and_switches_it_off(base: Base) -> None:
    made = base.disk.stat().st_mtime_ns
    terminal = Terminal("deploy.emulator")
    try:
        terminal.until("login: ")
        terminal.type("root")
        terminal.until("~# ")
        terminal.type("echo $(uname -m) >/root/note; cat /root/note")
        terminal.until("aarch64")
        terminal.type("poweroff")
        terminal.drain()
        assert terminal.process.wait(PATIENCE_S) == 0
    finally:
        terminal.close()
    assert base.disk.stat().st_mtime_ns == made, "what was written was not forgotten"
