"""QEMU, as everyone here starts it."""

import shutil
import subprocess
from typing import IO

from deploy.emulator.errors import EmulatorError

PROGRAM = "qemu-system-aarch64"


def start(
    words: list[str], *, stdin: int | None = subprocess.DEVNULL, output: IO[bytes] | None = None
) -> subprocess.Popen[bytes]:
    """Start a machine of these words; it ends with whoever starts it, even if that is killed.

    Args:
        stdin: None for this program's own.
        output: where its words go, complaints among them; None for this program's own.

    Raises:
        EmulatorError: QEMU is not here.
    """
    if shutil.which(PROGRAM) is None:
        raise EmulatorError(f"{PROGRAM} is not installed: apt install qemu-system-arm")
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", PROGRAM, *words],
        stdin=stdin,
        stdout=output,
        stderr=output and subprocess.STDOUT,
    )
