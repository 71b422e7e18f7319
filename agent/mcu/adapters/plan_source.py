"""A plan for a device: read, or made of a `.tflite` file by `selvedge convert`."""

import hashlib
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from os import environ
from pathlib import Path

from agent.errors import ModelError
from agent.runtime.adapters.aot_cache import AotCache
from agent.runtime.adapters.model_file import MAX_MODEL_BYTES, read_model
from agent.runtime.plan_file import PlanFile, read_plan
from broker.contract.version import VERSION

TARGET = "portable"
"""Whose packing of constants a plan has that any device runs."""
TARGETS = {0: TARGET, 3: "cortex-m"}
"""Targets by the number that a device tells."""
FIRMWARE = "cortex-m"
"""That of our firmware as it is built."""
CONVERT_S = 120
MAX_PLAN_BYTES = 16 << 20
_ROOT = str(Path(__file__).resolve().parents[3])


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """A plan to upload.

    Attributes:
        target: what it was converted for; empty if it came as a plan.
    """

    plan: PlanFile
    sha256: bytes
    target: str = ""


def plan_for(model: DevicePlan, path: str, target: int) -> DevicePlan:
    """The same model for the kernels that a device has, if it was converted for others.

    Raises:
        ModelError: it cannot be converted.
    """
    wanted = TARGETS.get(target, TARGET)
    return plan_of(path, target=wanted) if model.target not in ("", wanted) else model


def plan_of(path: str, cache: Path | None = None, target: str = TARGET) -> DevicePlan:
    """Read a `.plan`, or convert a `.tflite`.

    Args:
        cache: a folder of ours that keeps what was converted.
        target: whose packing of constants a converted plan has.

    Raises:
        ModelError: it is neither, or cannot be converted.
    """
    if not path.endswith(".tflite"):
        return _read(path, path)
    data = _converted(path, target) if cache is None else _kept(path, target, AotCache(cache))
    return DevicePlan(read_plan(data), hashlib.sha256(data).digest(), target)


def _kept(path: str, target: str, cache: AotCache) -> bytes:
    key = "plan", VERSION, target, read_model(path, MAX_MODEL_BYTES).sha256
    data = cache.get(*key)
    if data is None:
        data = _converted(path, target)
        cache.put(data, *key)
    return data


def _converted(path: str, target: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "model.plan"
        words = [sys.executable, "-P", "-m", "selvedge", "convert", "--json", "--target", target]
        try:
            told = subprocess.run(
                [*words, "--", path, str(plan)],
                capture_output=True,
                env=environ | {"PYTHONPATH": _ROOT},
                timeout=CONVERT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ModelError(f"model {path} was not converted in {CONVERT_S} s") from None
        if told.returncode:
            raise ModelError(_refusal(told.stdout) or f"model {path} cannot be converted")
        return plan.read_bytes()


def _read(path: str, name: str) -> DevicePlan:
    found = read_model(path, MAX_PLAN_BYTES)
    if not isinstance(found.content, PlanFile):
        raise ModelError(f"model {name}: a .tflite or a .plan file is wanted")
    return DevicePlan(found.content, bytes.fromhex(found.sha256))


def _refusal(said: bytes) -> str:
    try:
        return str(json.loads(said)["error"])
    except (ValueError, KeyError, TypeError):
        return ""
