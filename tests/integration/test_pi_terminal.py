"""`python -m deploy.emulator` on a terminal: one logs in, looks around, and switches it off."""

import os
import pty
import select
import signal
import subprocess
import sys

import pytest

from deploy.emulator.image import Base
from deploy.package.wheels import ROOT

PATIENCE_S = 240.0

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
        while words not in self.said[before:]:
            assert self._hears(), f"no {words!r}: …{self.said[-800:]}"

    def type(self, words: str) -> None:
        """A line, as somebody types it."""
        os.write(self._master, f"{words}\r".encode())

    def drain(self) -> None:
        """Read to the end."""
        while self._hears():
            pass

    def _hears(self) -> bool:
        """Whether more came in time, and the other end is still there."""
        if not select.select([self._master], [], [], PATIENCE_S)[0]:
            return False
        try:
            self.said += os.read(self._master, 65536).decode(errors="replace")
        except OSError:  # nobody is at the other end any more
            return False
        return True

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
        terminal.until("# ")
        terminal.type("echo $(uname -m) >/var/tmp/note; cat /var/tmp/note")
        terminal.until("aarch64")
        terminal.type("poweroff")
        terminal.drain()
        assert terminal.process.wait(PATIENCE_S) == 0
    finally:
        terminal.close()
    assert base.disk.stat().st_mtime_ns == made, "what was written was not forgotten"
