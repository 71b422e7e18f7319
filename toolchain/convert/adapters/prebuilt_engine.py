"""The prebuilt engine: carried by the wheel, or built from the sources beside this package."""

import subprocess
import sys
from pathlib import Path

from toolchain.errors import UnavailableError

CARRIED = Path(__file__).parents[1] / "engines"
BUILDER = Path(__file__).parents[3] / "engine" / "wasm" / "build.py"


def load(target: str) -> bytes:
    """The engine's module for a target.

    A source tree builds its own, so that a change of the engine is never missed; elsewhere it is
    package data (docs/adr/0010-prebuilt-engines.md).

    Raises:
        UnavailableError: there is none and it cannot be built; the text names the remedy.
    """
    path = _built(target) if BUILDER.exists() else CARRIED / f"{target}.wasm"
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnavailableError(
            f"no prebuilt engine '{target}': {path}: {error.strerror}; "
            "install a wheel that carries it, or convert in a source tree"
        ) from None


def _built(target: str) -> Path:
    told = subprocess.run(
        [sys.executable, BUILDER, target], capture_output=True, text=True, check=False
    )
    if told.returncode:
        lines = told.stderr.strip().splitlines() or ["no message"]
        raise UnavailableError(f"no prebuilt engine '{target}': {lines[-1]}")
    return Path(told.stdout.strip())
