"""Installs what is only there to be compared with, into `.cache`: npm packages, an old wheel."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache"
TFLITE_RUNTIME = ("tflite-runtime==2.14.0", "numpy<2")
TFLITE_RUNTIME_PYTHON = "python3.11"
FLOWER = ("flwr==1.41.0", "numpy==2.4.6")


class MissingError(Exception):
    """A peer cannot be had on this machine; the text says why."""


def npm(folder: Path) -> Path:
    """Install a folder's locked packages once; where `node_modules` is.

    Raises:
        MissingError: npm is missing or fails.
    """
    texts = [(folder / name).read_bytes() for name in ("package.json", "package-lock.json")]
    place = CACHE / "npm" / hashlib.sha256(b"".join(texts)).hexdigest()[:16]
    found = place / "node_modules"
    if not found.exists():
        if not shutil.which("npm"):
            raise MissingError("npm is not installed")
        building = place.with_name(f"{place.name}.{os.getpid()}")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(folder / name, building)
        _run("npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", at=building)
        shutil.rmtree(place, ignore_errors=True)
        building.rename(place)
    return found


def tflite_runtime() -> Path:
    """Make the venv of tflite-runtime, which wants an old numpy; the path of its Python.

    Raises:
        MissingError: there is no Python that its wheel is made for, or pip fails.
    """
    place = CACHE / "peers" / "tflite-runtime"
    python = place / "bin" / "python"
    done = place / "installed"
    if not done.exists():
        here = sys.version_info[:2] == (3, 11)
        base = sys.executable if here else shutil.which(TFLITE_RUNTIME_PYTHON)
        if not base:
            raise MissingError(f"its only wheels are for {TFLITE_RUNTIME_PYTHON}")
        shutil.rmtree(place, ignore_errors=True)
        _run(base, "-m", "venv", str(place), at=CACHE)
        _run(str(python), "-m", "pip", "install", "--quiet", *TFLITE_RUNTIME, at=CACHE)
        done.touch()
    return python


def flower() -> Path:
    """Make the venv of Flower; the folder of its commands.

    Raises:
        MissingError: pip fails.
    """
    place = CACHE / "peers" / FLOWER[0].replace("==", "-")
    done = place / "installed"
    if not done.exists():
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        _run(sys.executable, "-m", "venv", str(place), at=CACHE)
        pip = str(place / "bin" / "python"), "-m", "pip", "install", "--quiet"
        _run(*pip, *FLOWER, at=CACHE)
        done.touch()
    return place / "bin"


def _run(*command: str, at: Path) -> None:
    told = subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)
    if told.returncode:
        lines = (told.stderr or told.stdout).strip().splitlines() or ["no message"]
        errors = [line for line in lines if "error" in line.lower()] or lines[-1:]
        raise MissingError(f"{' '.join(command[:4])}: {errors[0]}")
