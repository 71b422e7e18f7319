"""Which runtimes of our engine can run a model, a module or a plan, and why one cannot."""

from collections.abc import Collection

from toolchain.errors import ModelRefused
from toolchain.inspect.runtimes import Verdict
from toolchain.lowering.lower import lower
from toolchain.lowering.settings import Settings
from toolchain.plan.numbers import Rounding, Target
from toolchain.tflite.model import Model

LIBRARIES = ("wasmtime", "wasm3")
"""Import names of the libraries that run modules; `host` needs none."""
MAX_MODULE_BYTES = 256 << 20
"""Arenas beyond this are refused where modules and plans are run."""
_REMEDIES = {
    "wasmtime": "wasmtime is not installed; pip install wasmtime on a 64-bit system",
    "wasm3": "wasm3 is not installed; pip install pywasm3==0.5.0, which needs gcc and python3-dev",
}


def of_model(model: Model, installed: Collection[str]) -> tuple[Verdict, ...]:
    """Judge a .tflite model by lowering it; `installed` are the importable ones of `LIBRARIES`."""
    try:
        arena_bytes = lower(model, Settings(Rounding.DOUBLE, Target.PORTABLE)).arena_bytes
    except ModelRefused as error:
        return tuple(Verdict(name, can_run=False, reason=str(error)) for name in _names())
    if arena_bytes > MAX_MODULE_BYTES:
        return tuple(Verdict(name, can_run=False, reason=_large(arena_bytes)) for name in _names())
    reasons = {
        "wasmtime": "converted, target scalar or simd",
        "wasm3": "converted, target scalar",
        "host": "converted to a .plan",
    }
    return tuple(_judged(name, reasons[name], installed) for name in _names())


def of_file(
    suffix: str, target: Target, arena_bytes: int, installed: Collection[str]
) -> tuple[Verdict, ...]:
    """Judge a converted file, `wasm` or `plan`, by what its plan was packed for."""
    found = [Verdict("tflite", can_run=False, reason="is converted; name the .tflite file")]
    for name in _names():
        refusal = _refusal(name, suffix, target)
        if refusal is None and arena_bytes > MAX_MODULE_BYTES:
            refusal = _large(arena_bytes)
        if refusal is None:
            found.append(_judged(name, f"target {target.name.lower()}", installed))
        else:
            found.append(Verdict(name, can_run=False, reason=refusal))
    return tuple(found)


def _refusal(runtime: str, suffix: str, target: Target) -> str | None:
    if suffix == "plan":
        if runtime != "host":
            return "is a plan without an engine; convert the model to .wasm"
        if target is not Target.PORTABLE:
            return f"is packed for {target.name.lower()}; convert with --target portable"
        return None
    if runtime == "host":
        return "is a module; convert the model to .plan"
    if runtime == "wasm3" and target is Target.SIMD128:
        return "has no SIMD; convert with --target scalar"
    return None


def _names() -> tuple[str, ...]:
    return (*LIBRARIES, "host")


def _judged(runtime: str, reason: str, installed: Collection[str]) -> Verdict:
    if runtime in LIBRARIES and runtime not in installed:
        return Verdict(runtime, can_run=False, reason=_REMEDIES[runtime])
    return Verdict(runtime, can_run=True, reason=reason)


def _large(arena_bytes: int) -> str:
    return f"needs an arena of {arena_bytes:,} bytes; at most {MAX_MODULE_BYTES:,} are given"
