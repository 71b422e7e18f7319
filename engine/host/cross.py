"""Builds the engine as a shared library for Linux machines other than this one, too.

The compiler is that of the wasm modules. The libraries need no other library, not even libc, so
one file serves every distribution. `python -m engine.host.cross [MACHINE]` names it.
"""

import platform
import sys
from pathlib import Path

from engine.wasm.build import CACHE, ENGINE, BuildError, compiled

MACHINES = {
    "x86_64": ("x86_64-linux-none", "x86_64"),
    "aarch64": ("aarch64-linux-none", "generic"),
    "armv7l": ("arm-linux-eabihf", "cortex_a7"),
}
"""Target and processor by what `platform.machine()` says; the oldest Pi that each one serves."""
FLAGS = (
    *("-std=c99", "-ffreestanding", "-nostdlib", "-rtlib=compiler-rt", "-shared", "-fPIC", "-O3"),
    *("-pedantic", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow"),
    *("-Wno-reserved-identifier", "-fno-stack-protector"),
    # Equal bytes everywhere: a * b + c stays two roundings where the processor could do one.
    "-ffp-contract=off",
    *("-Wl,--strip-all", "-Wl,--build-id=none", "-Wl,--no-undefined"),
)


def build(machine: str, cache: Path = CACHE) -> Path:
    """Build `libselvedge-<machine>.so` unless it is in the cache; returns its path.

    Raises:
        BuildError: the compiler is missing or of another version, or refused the sources.
    """
    target, processor = MACHINES[machine]
    arguments = ["-target", target, f"-mcpu={processor}", *FLAGS]
    folders = ("core", "kernels")
    sources = [path for name in folders for path in sorted((ENGINE / name).glob("*.c"))]
    relative = [path.relative_to(ENGINE) for path in (*sources, ENGINE / "targets/portable.c")]
    return compiled(f"libselvedge-{machine}.so", arguments, relative, cache)


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{build(sys.argv[1] if sys.argv[1:] else platform.machine())}\n")
    except KeyError as error:
        sys.exit(f"no library for {error}; known: {', '.join(MACHINES)}")
    except BuildError as error:
        sys.exit(str(error))
