"""The demo's model as a wasm module and as a plan, and which runtimes of this machine take it."""

import sys
from importlib.util import find_spec

from toolchain.convert.adapters.prebuilt_engine import load
from toolchain.convert.convert import Choices, macs_of, to_module, to_plan

CHOICES = Choices(rounding="single")  # as LiteRT rounds, so that labels do not differ by chance
MISSING = {
    "wasm3": "pywasm3 needs gcc and python3-dev to be installed",
    "wasmtime": "wasmtime needs a 64-bit system",
}


def module_of(model: bytes) -> bytes:
    """Convert the model.

    Raises:
        ToolchainError: there is no prebuilt engine; the text names the remedy.
    """
    plan = to_plan(model, CHOICES)
    return to_module(plan, load(CHOICES.target), "digits", CHOICES, macs_of(model))


def plan_of(model: bytes) -> bytes:
    """Convert the model for microcontrollers.

    Raises:
        ToolchainError: it cannot be converted.
    """
    return to_plan(model, Choices(rounding="single", target="portable"))


def runtimes() -> tuple[list[str], list[str]]:
    """Names of the runtimes that can run it here, and a line for each that cannot."""
    has = {
        "wasmtime": find_spec("wasmtime") is not None and sys.maxsize > 1 << 32,
        "wasm3": find_spec("wasm3") is not None,
    }
    lacking = [f"without {name}: {MISSING[name]}" for name, is_here in has.items() if not is_here]
    return [name for name, is_here in has.items() if is_here], lacking
