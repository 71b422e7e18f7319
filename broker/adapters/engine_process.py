"""A broker's operating-system process: started, drained and reaped by one thread."""

import os
import pwd
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence

from broker.errors import LinkError

READY_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0
READY_WORD = b" running"
"""Both engines say on stderr that they run; mosquitto does so once its listeners are open."""

KEPT_LOG_LINES = 20


class EngineProcess:
    """A broker that cannot outlive us.

    The kernel kills the child when the *thread* that started it ends, so that thread stays: it
    reads the child's log, of which only the last lines are kept, and reaps it.
    """

    def __init__(
        self,
        argv: Sequence[str],
        account: pwd.struct_passwd | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start a program and wait until it is ready.

        Args:
            argv: its full path and arguments.
            account: the user that it becomes.
            environment: what changes in our environment for it.

        Raises:
            LinkError: it ended at once or does not become ready; with the last line of its log.
        """
        # The death signal is lost when a process changes its user, so the change comes first, here,
        # and not within the broker.
        self._argv = [*setpriv(account, "--pdeathsig", "KILL"), *argv]
        self._environment = {**os.environ, **(environment or {})}
        self._log: deque[str] = deque(maxlen=KEPT_LOG_LINES)
        self._settled = threading.Event()
        self._ended = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False
        threading.Thread(target=self._live, name="broker", daemon=True).start()
        if not self._settled.wait(READY_TIMEOUT_S) or not self._ready:
            self.kill()
            raise LinkError(f"the broker does not start: {self.last_words}")

    @property
    def pid(self) -> int:
        """Process id of the broker."""
        assert self._process is not None
        return self._process.pid

    @property
    def last_words(self) -> str:
        """The end of the log; mosquitto explains itself in two lines."""
        return " ".join(list(self._log)[-2:]) or "it says nothing"

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the process has ended; tell whether it has."""
        return self._ended.wait(timeout_s)

    def stop(self) -> None:
        """End the process in order, and by force if that takes too long."""
        if self._process is not None:
            self._process.terminate()
            if not self.wait(STOP_TIMEOUT_S):
                self.kill()

    def kill(self) -> None:
        """End the process at once, as a crash or a power cut would."""
        if self._process is not None:
            self._process.kill()
            self.wait(STOP_TIMEOUT_S)

    def _live(self) -> None:
        try:
            self._process = subprocess.Popen(
                self._argv,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            self._log.append(str(error))
        else:
            self._drain(self._process)
            self._process.wait()
        self._settled.set()
        self._ended.set()

    def _drain(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        with process.stderr as stream:
            while line := stream.readline(4096):
                if READY_WORD in line and not self._ready:
                    self._ready = True
                    self._settled.set()
                self._log.append(line.decode("utf-8", "replace").strip()[:400])


def unprivileged_account() -> pwd.struct_passwd | None:
    """The account that a broker started by root should have; None if we are not root."""
    if os.geteuid() != 0:
        return None
    for name in ("mosquitto", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def setpriv(account: pwd.struct_passwd | None, *options: str) -> list[str]:
    """The start of a command line that becomes `account`; empty where the program is missing."""
    program = shutil.which("setpriv")
    if program is None:
        return []
    if account is None:
        return [program, *options]
    group = str(account.pw_gid)
    return [program, "--reuid", account.pw_name, "--regid", group, "--init-groups", *options]
