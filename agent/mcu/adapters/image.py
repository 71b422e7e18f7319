"""The firmware of the emulated board: built in a source tree, else the one that came along."""

import subprocess
import sys
from pathlib import Path

from agent.errors import UnavailableError

BUILD_S = 300
ELF_ARM = b"\x28\0"
_BRIDGE = Path(__file__).resolve().parents[3] / "firmware_bridge"


def image(*, counting: bool = False, given: str | None = None, bridge: Path = _BRIDGE) -> Path:
    """The image to start; building it may take half a minute the first time.

    Args:
        counting: the one for an emulator that counts instructions.
        given: the file that the user wants instead.

    Raises:
        UnavailableError: it is not there and cannot be built; the text names the remedy.
    """
    if given is not None:
        return _checked(given)
    build = bridge / "firmware" / "build.py"
    carried = bridge / "images" / ("mps2-an386-counting.elf" if counting else "mps2-an386.elf")
    if not build.exists():
        if carried.exists():
            return carried
        raise UnavailableError(
            "this installation carries no firmware; name one with --image FILE "
            "(`make firmware` in a source tree makes it), or use --port"
        )
    words = [sys.executable, str(build), *(["--counting"] if counting else [])]
    try:
        told = subprocess.run(
            words, capture_output=True, text=True, timeout=BUILD_S, check=False, cwd="/"
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"the firmware was not built in {BUILD_S} s") from None
    if told.returncode:
        lines = told.stderr.strip().splitlines() or ["no message"]
        raise UnavailableError(f"the firmware cannot be built: {lines[-1]}")
    return Path(told.stdout.strip())


def _checked(path: str) -> Path:
    try:
        with Path(path).open("rb") as file:
            head = file.read(20)
    except OSError as error:
        raise UnavailableError(f"--image {path}: {error.strerror}") from None
    if not head.startswith(b"\x7fELF") or head[18:20] != ELF_ARM:
        raise UnavailableError(f"--image {path}: is no ELF file for ARM; `make firmware` makes one")
    return Path(path)
