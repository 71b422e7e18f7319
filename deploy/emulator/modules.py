"""Which kernel modules others need, as `modules.dep` tells."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from deploy.package.errors import PackageError

Dependencies = dict[str, tuple[str, ...]]
"""Paths of the modules that each module needs, by its own path."""


def parse(text: str) -> Dependencies:
    """Read a `modules.dep`."""
    lines = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {path: tuple(rest.split()) for path, _, rest in lines}


def name_of(path: str) -> str:
    """A module's name, as `lsmod` prints it."""
    return PurePosixPath(path).name.partition(".ko")[0].replace("-", "_")


def load_order(
    names: Iterable[str], dependencies: Dependencies, built_in: Iterable[str]
) -> list[str]:
    """Paths of these modules and all that they need, each after what it needs.

    Raises:
        PackageError: the kernel has no such module.
    """
    paths = {name_of(path): path for path in dependencies}
    inside = {name_of(path) for path in built_in}
    order: dict[str, None] = {}
    for name in names:
        if name in inside:
            continue
        if name not in paths:
            raise PackageError(f"this kernel has no module {name}")
        _add(paths[name], dependencies, order)
    return list(order)


def _add(path: str, dependencies: Dependencies, order: dict[str, None]) -> None:
    for needed in dependencies.get(path, ()):
        if needed not in order:
            _add(needed, dependencies, order)
    order[path] = None
