"""Our engine as a shared library: built in a source tree, carried by a wheel."""

import ctypes
import os
import platform
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from agent.errors import UnavailableError

BUILDER = Path(__file__).parents[3] / "engine" / "host" / "build.py"
CARRIED = Path(__file__).parents[1] / "engines" / f"libselvedge-{platform.machine()}.so"


def can_be_had() -> bool:
    """Tell whether the library is here or can be built, without doing it."""
    if BUILDER.exists():
        return shutil.which(shlex.split(os.environ.get("CC", "cc"))[0]) is not None
    return CARRIED.exists()


def load_library() -> ctypes.CDLL:
    """Load it; a source tree builds its own, so that a change of the engine is never missed.

    Raises:
        UnavailableError: there is none and it cannot be built.
    """
    path = _built() if BUILDER.exists() else CARRIED
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise UnavailableError(f"the engine {path} cannot be loaded: {error}") from None
    address, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32
    library.sv_plan_check.argtypes = [address, size, size]
    library.sv_plan_run.argtypes = [address, address]
    library.sv_plan_data.argtypes = [address, address, number]
    library.sv_plan_data.restype = address
    return library


def _built() -> Path:
    told = subprocess.run([sys.executable, BUILDER], capture_output=True, text=True, check=False)
    if told.returncode:
        lines = told.stderr.strip().splitlines() or ["no message"]
        raise UnavailableError(f"the engine cannot be built: {lines[-1][:300]}")
    return Path(told.stdout.strip())
