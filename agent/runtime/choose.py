"""Which runtime serves a model: the first that the model and the machine both have."""

from collections.abc import Collection
from dataclasses import dataclass

from agent.errors import ModelError, UnavailableError


@dataclass(frozen=True)
class Runtime:
    """One way to run a model.

    Attributes:
        name: what configuration, results and status call it.
        libraries: import names, any of which provides it; the best first. None: our own engine.
        remedy: what to do on a machine that has none of them.
        bits: of the smallest system on which its libraries work.
    """

    name: str
    libraries: tuple[str, ...]
    remedy: str
    bits: int = 32


RUNTIMES = (
    Runtime(
        "tflite",
        ("ai_edge_litert", "tflite_runtime"),
        "install ai-edge-litert, or tflite-runtime with numpy<2 on a 32-bit system",
    ),
    Runtime("wasmtime", ("wasmtime",), "install wasmtime on a 64-bit system", bits=64),
    Runtime("wasm3", ("wasm3",), "install pywasm3==0.5.0; it needs gcc and python3-dev"),
    Runtime("host", (), "install the wheel that carries the engine, or gcc in a source tree"),
)
"""In the order in which `auto` prefers them."""

DISTRIBUTIONS = {"wasm3": "pywasm3"}
"""Names under which libraries are installed, where they are not the import names."""


@dataclass(frozen=True)
class Choice:
    """A runtime, and why it was taken."""

    runtime: str
    reason: str


def choose(asked: str, model_has: Collection[str], machine_has: Collection[str]) -> Choice:
    """Pick the runtime of a model.

    Args:
        asked: the name of a runtime, or `auto`.
        model_has: names of the runtimes that the model was made for.
        machine_has: names of the runtimes that are installed here.

    Raises:
        ModelError: no such runtime, or the model was not made for it.
        UnavailableError: the machine lacks it; the text says what to install.
    """
    known = {runtime.name: runtime for runtime in RUNTIMES}
    if asked != "auto":
        if asked not in known:
            raise ModelError(f"runtime {asked!r} is unknown; choose from auto, {', '.join(known)}")
        if asked not in model_has:
            raise ModelError(f"the model is made for {_listed(model_has)}, not for {asked}")
        if asked not in machine_has:
            raise UnavailableError(f"runtime {asked} is not installed: {known[asked].remedy}")
        return Choice(asked, "asked for by configuration")
    passed_over: list[str] = []
    for name, runtime in known.items():
        if name in model_has and name in machine_has:
            return Choice(name, "; ".join(["first that model and machine have", *passed_over]))
        lack = runtime.remedy if name in model_has else "the model has none for it"
        passed_over.append(f"not {name}: {lack}")
    raise UnavailableError(f"no runtime for this model here; {'; '.join(passed_over)}")


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "no runtime"
