"""A Debian with systemd as its first process, in namespaces of this machine; no emulation.

Its network is a loopback of its own. Memory limits of units hold only where the memory controller
is in the unified hierarchy.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from deploy.package.errors import PackageError

INNER = Path(__file__).with_name("inner.sh")
UNIFIED = Path("/sys/fs/cgroup/unified")
NAMESPACES = ("--pid", "--mount", "--fork", "--cgroup", "--net", "--uts", "--ipc")
START_S = 30.0

_numbers = count()


class NamespaceMachine:
    """A running Debian.

    Attributes:
        pid: of its systemd, as this machine counts.
        root: its root file system, which may be read and written from here.
    """

    def __init__(self, pid: int, root: Path) -> None:
        self.pid = pid
        self.root = root

    def run(self, *command: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a program in it as root."""
        words = ["nsenter", "-t", str(self.pid), *("-m", "-p", "-u", "-i", "-n", "-C", "-r", "-w")]
        return subprocess.run(
            [*words, "env", "-i", "PATH=/usr/local/bin:/usr/sbin:/usr/bin", *command],
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )


@contextmanager
def running(root: Path) -> Iterator[NamespaceMachine]:
    """Boot `root`, a copy made for this, and end everything in it afterwards.

    Raises:
        PackageError: it does not come up.
    """
    unified = UNIFIED if UNIFIED.is_dir() else Path("/sys/fs/cgroup")
    name = f"selvedge-{os.getpid()}-{next(_numbers)}"
    groups = [unified / name, unified / name / "in"]
    v1 = Path("/sys/fs/cgroup/systemd")
    if v1.is_dir():
        groups.append(v1 / name)
    for each in groups:
        each.mkdir(exist_ok=True)
    joins = [f"echo $$ >{each}/cgroup.procs" for each in groups[1:]]
    # Whoever dies takes those below along: this process, unshare, and the systemd in there.
    words = ["exec setpriv --pdeathsig KILL unshare --kill-child", *NAMESPACES, f"sh {INNER}"]
    script = "; ".join([*joins, " ".join(words)])
    outer = subprocess.Popen(
        ["sh", "-c", script],
        env=os.environ | {"ROOT": str(root)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    pid = None
    try:
        pid = _inner(outer)
        machine = NamespaceMachine(pid, root)
        _wait_until_up(machine, outer)
        yield machine
    finally:
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        else:
            outer.kill()
        outer.communicate()
        _remove(groups)


def _inner(outer: subprocess.Popen[bytes]) -> int:
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and outer.poll() is None:
        words = children.read_text().split()
        if words:
            return int(words[0])
        time.sleep(0.01)
    raise PackageError(f"no namespace could be made: {_complaint(outer)}")


def _wait_until_up(machine: NamespaceMachine, outer: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    state = ""
    while time.monotonic() < deadline:
        if outer.poll() is not None:
            raise PackageError(f"systemd ended: {_complaint(outer)}")
        state = machine.run("systemctl", "is-system-running").stdout.strip()
        if state in ("running", "degraded"):
            return
        time.sleep(0.1)
    raise PackageError(f"systemd is {state or 'silent'} after {START_S:g} s")


def _complaint(outer: subprocess.Popen[bytes]) -> str:
    if outer.poll() is None:
        outer.kill()
    return outer.communicate()[1].decode(errors="replace").strip()[-300:]


def _remove(groups: list[Path]) -> None:
    deadline = time.monotonic() + 10
    for top in reversed(groups):
        for each in sorted([*top.rglob("*/"), top], key=lambda path: -len(path.parts)):
            while each.is_dir() and time.monotonic() < deadline:
                try:
                    each.rmdir()
                except OSError:  # its processes are still ending
                    time.sleep(0.05)
