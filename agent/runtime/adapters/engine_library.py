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

ROOT = Path(__file__).parents[3]
BUILDERS = ("engine.host.build", "engine.host.cross")
"""In a source tree: with this machine's compiler, else what an installation left in the cache."""
NAME = f"libselvedge-{platform.machine()}.so"
CARRIED = Path(__file__).parents[1] / "engines" / NAME


def can_be_had() -> bool:
    """Tell whether the library is here or can be built, without doing it."""
    if not _is_source_tree():
        return CARRIED.exists()
    compiler = shlex.split(os.environ.get("CC", "cc"))[0]
    return shutil.which(compiler) is not None or any(ROOT.glob(f".cache/engine/*/{NAME}"))


def load_library() -> ctypes.CDLL:
    """Load it; a source tree builds its own, so that a change of the engine is never missed.

    Raises:
        UnavailableError: there is none and it cannot be built.
    """
    path = _built() if _is_source_tree() else CARRIED
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


def _is_source_tree() -> bool:
    return (ROOT / "engine" / "host" / "build.py").exists()


def _built() -> Path:
    line = ""
    for builder in BUILDERS:
        command = [sys.executable, "-m", builder]
        told = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        if told.returncode == 0:
            return Path(told.stdout.strip())
        line = (told.stderr.strip().splitlines() or ["no message"])[-1]
    raise UnavailableError(f"the engine cannot be built: {line[:300]}")
