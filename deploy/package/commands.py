"""Programs that a build leans on."""

import os
import subprocess
from pathlib import Path

from deploy.package.errors import PackageError


def run(
    command: list[str], folder: Path | None = None, environment: dict[str, str] | None = None
) -> str:
    """Run a program and return what it printed.

    Raises:
        PackageError: it is not here, or failed; the text holds its last complaint.
    """
    try:
        told = subprocess.run(
            command,
            cwd=folder,
            check=False,
            capture_output=True,
            text=True,
            env=os.environ | {"LC_ALL": "C"} | (environment or {}),
        )
    except FileNotFoundError:
        raise PackageError(f"{command[0]} is not installed: apt install {command[0]}") from None
    if told.returncode:
        words = [line for line in told.stderr.splitlines() if line.strip()] or ["no message"]
        errors = [line for line in words if "error" in line.lower() or line.startswith("E:")]
        raise PackageError(f"{Path(command[0]).name} failed: {(errors or words)[-1].strip()}")
    return told.stdout
