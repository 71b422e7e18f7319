"""A machine in namespaces does not outlive the process that runs it, however that ends."""

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

from deploy.guest.copies import copied
from deploy.package.wheels import ROOT
from tests.support.service_machine import Workshop, eventually, needs_root

KEEPER = """
import sys, time
from pathlib import Path
from deploy.guest.namespace import running
with running(Path(sys.argv[1])) as machine:
    print(machine.pid, flush=True)
    time.sleep(600)
"""

pytestmark = needs_root


def test_a_killed_keeper_leaves_no_machine_behind(workshop: Workshop, tmp_path: Path) -> None:
    with copied(workshop.bare("bookworm"), tmp_path) as root:
        words = [sys.executable, "-c", KEEPER, str(root)]
        with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as keeper:
            assert keeper.stdout is not None
            systemd = Path(f"/proc/{keeper.stdout.readline().strip()}")
            assert (systemd / "comm").read_text() == "systemd\n"
            keeper.send_signal(signal.SIGKILL)
            keeper.wait()
            assert eventually(lambda: not systemd.exists(), 10)
            # Empty groups are all that stays.
            groups = [*Path("/sys/fs/cgroup").rglob(f"selvedge-{keeper.pid}-*")]
            assert groups
            assert eventually(lambda: all(map(is_removed, groups)), 10)


def is_removed(group: Path) -> bool:
    for each in sorted([group, *group.rglob("*/")], reverse=True):
        with contextlib.suppress(OSError):  # what was in it is still ending
            each.rmdir()
    return not group.exists()
