"""Which runtimes this machine has, told without loading them: a main process may ask."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from agent.runtime.choose import RUNTIMES


@dataclass(frozen=True)
class Installed:
    """A runtime of this machine.

    Attributes:
        library: the import name of the library that provides it.
    """

    runtime: str
    library: str


def available() -> tuple[Installed, ...]:
    """List the runtimes that are installed, each with the best library for it."""
    return tuple(
        Installed(runtime.name, found[0])
        for runtime in RUNTIMES
        if (found := [library for library in runtime.libraries if find_spec(library)])
    )


def version(library: str) -> str:
    """Return the version of an installed library, or the empty string.

    The name of its metadata folder tells it; `importlib.metadata` would take 3 MB to say the same.
    """
    spec = find_spec(library)
    if spec is None or spec.origin is None:
        return ""
    folders = sorted(Path(spec.origin).parents[1].glob(f"{library}-*.dist-info"))
    return folders[-1].stem.partition("-")[2] if folders else ""
