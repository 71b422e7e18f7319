"""Which runtimes this machine has, told without loading them: a main process may ask."""

import sys
from collections.abc import Collection
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from agent.runtime.adapters.engine_library import can_be_had
from agent.runtime.choose import DISTRIBUTIONS, RUNTIMES, Runtime

POINTER_BITS = 64 if sys.maxsize > 1 << 32 else 32


@dataclass(frozen=True)
class Installed:
    """A runtime of this machine.

    Attributes:
        library: the import name of the library that provides it; empty for our own engine.
    """

    runtime: str
    library: str


def available(names: Collection[str] | None = None) -> tuple[Installed, ...]:
    """List the runtimes that are installed, or those of them with these names.

    Each comes with the best library for it. Looking for a library takes a millisecond.
    """
    return tuple(
        Installed(runtime.name, library)
        for runtime in RUNTIMES
        if (names is None or runtime.name in names) and (library := _library(runtime)) is not None
    )


def _library(runtime: Runtime) -> str | None:
    if not runtime.libraries:
        return "" if can_be_had() else None
    if runtime.bits > POINTER_BITS:  # a wheel may be there all the same, and fail when imported
        return None
    return next((name for name in runtime.libraries if find_spec(name)), None)


def version(library: str) -> str:
    """Return the version of an installed library, or the empty string.

    The name of its metadata folder tells it; `importlib.metadata` would take 3 MB to say the same.
    """
    spec = find_spec(library)
    if spec is None or spec.origin is None:
        return ""
    name = DISTRIBUTIONS.get(library, library)
    package = Path(spec.origin)
    site = package.parents[1] if package.name == "__init__.py" else package.parent
    folders = sorted(site.glob(f"{name}-*.dist-info"))
    return folders[-1].stem.partition("-")[2] if folders else ""
