"""`selvedge infer` as a process: what a runtime does there, it does for every user."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from broker.contract.exit_code import ExitCode
from toolchain.compare.variant import Variant
from toolchain.errors import ModelRefused, ToolchainError, UnavailableError

HOME = Path(__file__).resolve().parents[3]
_GRACE_S = 30.0
_ERRORS = {ExitCode.MODEL: ModelRefused, ExitCode.UNAVAILABLE: UnavailableError}

Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one runtime gave; `detail` is its own account of itself."""

    outputs: Arrays
    detail: str
    latency_ms: float


def run(variant: Variant, model: Path, arrays: Path, output: Path, deadline_s: float) -> Answer:
    """Run a model once.

    Raises:
        ToolchainError: the runtime is not there, refuses the model or its input, or crashed; the
            text begins with the variant's name, and the exit code is that of `infer`.
    """
    words = ["infer", str(model), "--input", str(arrays), "--output", str(output), "--json"]
    words += ["--runtime", variant.runtime, "--deadline", str(deadline_s)]
    if variant.runtime == "tflite":
        words += ["--delegate", variant.delegate]
    path = os.pathsep.join(filter(None, [str(HOME), os.environ.get("PYTHONPATH")]))
    try:
        told = subprocess.run(
            [sys.executable, "-P", "-m", "selvedge", *words],
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=deadline_s + _GRACE_S,
            check=False,
        )
        if told.returncode:
            raise _error(variant, told.returncode, told.stderr)
        tree = json.loads(told.stdout)
        return Answer(_read(output), str(tree["detail"]), float(tree["latency_ms"]))
    except subprocess.TimeoutExpired:
        raise ModelRefused(f"{variant.name}: no answer in {deadline_s:g} s") from None
    except (ValueError, KeyError, TypeError, OSError, zipfile.BadZipFile) as error:
        if isinstance(error, ToolchainError):
            raise
        raise ModelRefused(f"{variant.name}: its answer cannot be read: {error}") from None


def save(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as `.npz`; unlike `numpy.savez` it takes any name, such as `file`."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _read(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


def _error(variant: Variant, code: int, stderr: str) -> ToolchainError:
    line = (stderr.strip().splitlines() or [f"ended with {code}"])[-1]
    kind = _ERRORS.get(ExitCode(code)) if code in list(ExitCode) else None
    return (kind or ModelRefused)(f"{variant.name}: {line.removeprefix('selvedge: ')}")
