"""One door to every runtime: a path in, a model that is ready out."""

from collections.abc import Mapping
from typing import NamedTuple

from agent.errors import ModelError
from agent.runtime.adapters.installed import available
from agent.runtime.adapters.model_file import MAX_MODEL_BYTES, read_model
from agent.runtime.adapters.tflite import TfliteModel
from agent.runtime.choose import choose


class Loaded(NamedTuple):
    """A model, the hash of its file, and why this runtime serves it."""

    model: TfliteModel
    sha256: str
    reason: str


def load(
    path: str,
    runtime: str = "auto",
    threads: int = 1,
    delegate: str = "xnnpack",
    delegate_options: Mapping[str, str] | None = None,
    *,
    limit_bytes: int = MAX_MODEL_BYTES,
) -> Loaded:
    """Load a model; call it in a process that may die, for native code parses the file.

    Raises:
        ModelError: the file is refused; the text names it.
        UnavailableError: this machine lacks what is asked for.
    """
    file = read_model(path, limit_bytes)
    installed = {found.runtime: found.library for found in available()}
    choice = choose(runtime, file.runtimes, installed)
    try:
        model = TfliteModel(
            file.data, installed[choice.runtime], threads, delegate, delegate_options
        )
    except ModelError as error:
        raise ModelError(f"model {path}: {error}") from None
    return Loaded(model, file.sha256, choice.reason)
