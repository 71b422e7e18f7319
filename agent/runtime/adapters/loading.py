"""One door to every runtime: a path in, a model that is ready out."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from agent.errors import ModelError
from agent.runtime.adapters.installed import available
from agent.runtime.adapters.model_file import MAX_MODEL_BYTES, ModelFile, read_model
from agent.runtime.choose import choose
from agent.runtime.plan_file import PlanFile
from agent.runtime.protocol import LoadedModel
from agent.runtime.wasm.sealed import SealedModule


class Loaded(NamedTuple):
    """A model, the hash of its file, and why this runtime serves it."""

    model: LoadedModel
    sha256: str
    reason: str


@dataclass(frozen=True)
class Options:
    """How a model is run.

    Attributes:
        delegate: of tflite.
        cache: a folder for machine code, which only this user can write; None: none is kept.
        deadline_s: a run that takes longer is stopped, where the runtime can be stopped; None:
            none is, and wasmtime is a tenth (scalar) to a quarter (SIMD) faster.
    """

    threads: int = 1
    delegate: str = "xnnpack"
    delegate_options: Mapping[str, str] | None = None
    cache: Path | None = None
    deadline_s: float | None = 60.0


def load(
    path: str,
    runtime: str = "auto",
    options: Options | None = None,
    *,
    limit_bytes: int = MAX_MODEL_BYTES,
) -> Loaded:
    """Load a model; call it in a process that may die, for native code parses the file.

    Raises:
        ModelError: the file is refused; the text names it.
        UnavailableError: this machine lacks what is asked for.
    """
    file = read_model(path, limit_bytes)
    installed = {found.runtime: found.library for found in available(file.runtimes)}
    choice = choose(runtime, file.runtimes, installed)
    try:
        model = _model(file, choice.runtime, installed[choice.runtime], options or Options())
    except ModelError as error:
        raise ModelError(f"model {path}: {error}") from None
    return Loaded(model, file.sha256, choice.reason)


def needs(path: str, runtime: str = "auto") -> tuple[str, ...]:
    """Return the Python modules that `load` would import, for who wants to time it without them.

    Raises:
        ModelError: the file is refused.
        UnavailableError: this machine lacks what is asked for.
    """
    installed = {found.runtime: found.library for found in available()}
    choice = choose(runtime, read_model(path).runtimes, installed)
    library = installed[choice.runtime]
    ours = f"agent.runtime.adapters.{choice.runtime}"
    return (ours, f"{library}.interpreter" if choice.runtime == "tflite" else library or ours)


def idle_bytes() -> int:
    """What this process holds for ever of models that nobody uses: wasm3 frees none."""
    wasm3 = sys.modules.get("agent.runtime.adapters.wasm3")
    return 0 if wasm3 is None else int(wasm3.POOL.idle_bytes)


def _model(file: ModelFile, runtime: str, library: str, options: Options) -> LoadedModel:
    """Each runtime is imported where it is wanted: a child holds one, and is the smaller for it."""
    match file.content, runtime:
        case SealedModule() as module, "wasmtime":
            from agent.runtime.adapters.wasmtime import WasmtimeModel

            return WasmtimeModel(module, file.sha256, options.cache, options.deadline_s)
        case SealedModule() as module, "wasm3":
            from agent.runtime.adapters.wasm3 import Wasm3Model

            return Wasm3Model(module, file.sha256)
        case PlanFile() as plan, _:
            from agent.runtime.adapters.host import HostModel

            return HostModel(plan)
        case bytes() as data, _:
            from agent.runtime.adapters.tflite import TfliteModel

            return TfliteModel(
                data, library, options.threads, options.delegate, options.delegate_options
            )
    raise ModelError(f"is not a model for {runtime}")
