"""How much memory a module may take of its process while it is loaded."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOADING_BYTES = 128 << 20
"""For reading, checking and compiling. A fifth serves the engine's own modules; a function can be
written on which a compiler spends gigabytes."""

COPIES = 4
"""Of a module, which may be large by its weights alone."""


def data_bytes() -> int:
    """Memory that can be written, by now; what is only reserved does not count."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0


def limit(most_bytes: int) -> None:
    """Let the kernel refuse memory that can be written beyond this."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hard != resource.RLIM_INFINITY:
        most_bytes = min(most_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, hard))


@contextmanager
def bounded(module_bytes: int) -> Iterator[None]:
    """Let the kernel refuse memory to a compiler that is given a monster, which ends the process.

    Behind walls the kernel does not say what the process has, and nothing is bounded: a pipeline
    is told to load there only what an installer has compiled before.
    """
    before, hard = resource.getrlimit(resource.RLIMIT_DATA)
    try:
        most_bytes = data_bytes() + LOADING_BYTES + COPIES * module_bytes
    except OSError:
        yield
        return
    if before != resource.RLIM_INFINITY:
        most_bytes = min(most_bytes, before)
    limit(most_bytes)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, hard))
