"""Builds the engines as wasm modules without a plan or network; results are cached by what went in.

The compiler is exactly one version of `ziglang` from PyPI, so that equal sources give equal bytes
on every machine. `python engine/wasm/build.py [TARGET]` names the module; it is found in the
cache without a compiler.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path

ENGINE = Path(__file__).resolve().parents[1]
CACHE = ENGINE.parent / ".cache" / "engine"
ZIGLANG = "0.17.0"
STACK_BYTES = 16 * 1024
MVP = "mvp+bulk_memory+sign_ext"
TARGETS = {"scalar": ("swar", MVP), "simd": ("simd128", f"{MVP}+simd128")}
"""The list of kernels in `targets/`, which may have kernels of its own in a folder of its name
under `kernels/`, and the processor's features, named one by one: wasm3 has just those of `MVP`."""
TRAINERS = {"trainer-scalar": MVP, "trainer-simd": f"{MVP}+simd128"}
"""Engines that train, and the processor's features: one source, whose vectors are four floats."""
ENGINES = (*TARGETS, *TRAINERS)
FLAGS = (
    *("-target", "wasm32-freestanding", "-std=c99", "-ffreestanding", "-nostdlib", "-O3"),
    "-ffp-contract=off",
    *("-pedantic", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow"),
    # Unrolled loops cost 3.4 kB and gain nothing in an interpreter; portable kernels that the
    # compiler turns into SIMD cost 4.6 kB, and those that count have kernels of their own.
    *("-Wno-reserved-identifier", "-fno-stack-protector", "-fno-unroll-loops"),
    *("-fno-vectorize", "-fno-slp-vectorize"),
)
TUNING = {
    # Loop strength reduction makes an addition of every constant offset of a load; more than -Os
    # changes only the size.
    "scalar": ("-Os", "-mllvm", "-disable-lsr"),
    "trainer-scalar": ("-Os", "-mllvm", "-disable-lsr"),
}
LINKING = (
    *("--no-entry", "--strip-all", "--export=__heap_base"),
    *("-z", f"stack-size={STACK_BYTES}"),
)
# So that `convert` finds the kernels that a plan does not need.
KERNELS = ("--export=sv_kernels", "--export=sv_kernel_count")


class BuildError(RuntimeError):
    """The engine cannot be built; the text is one line and names the remedy."""


def build(target: str = "scalar", cache: Path = CACHE) -> Path:
    """Build one of `ENGINES` unless it is in the cache; returns its path.

    Raises:
        BuildError: the compiler is missing or of another version, or refused the sources.
    """
    if target in TRAINERS:
        processor, linking = TRAINERS[target], [*LINKING]
        folders = ["training", "training/wasm"]
        sources = [*chain.from_iterable(map(_files, folders)), Path("wasm/memory.c")]
    else:
        kernels, processor = TARGETS[target]
        linking = [*LINKING, *KERNELS]
        folders = ["core", "kernels", f"kernels/{kernels}", "wasm"]
        sources = [*chain.from_iterable(map(_files, folders)), Path(f"targets/{kernels}.c")]
    words = [*FLAGS, *TUNING.get(target, ()), f"-mcpu={processor}"]
    arguments = [*words, *(f"-Wl,{word}" for word in linking)]
    return compiled(f"{target}.wasm", arguments, sources, cache)


def compiled(name: str, arguments: list[str], sources: list[Path], cache: Path) -> Path:
    """Compile and link sources, which are relative to `ENGINE`, unless that is in the cache.

    Raises:
        BuildError: the compiler is missing or of another version, or refused the sources.
    """
    made = cache / f"{Path(name).suffix[1:]}-{_digest([ZIGLANG, *arguments])}" / name
    if made.exists():
        return made
    _check_compiler()
    made.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=made.parent) as folder:
        output = Path(folder) / name
        _run([*arguments, "-I.", "-Iinclude", *map(str, sources), "-o", str(output)], cache)
        output.replace(made)
    return made


def _files(folder: str) -> list[Path]:
    return sorted(path.relative_to(ENGINE) for path in (ENGINE / folder).glob("*.c"))


def _digest(words: list[str]) -> str:
    digest = hashlib.sha256("\0".join(words).encode())
    for path in sorted(ENGINE.rglob("*.[ch]")):
        digest.update(str(path.relative_to(ENGINE)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _check_compiler() -> None:
    try:
        found = version("ziglang")
    except PackageNotFoundError:
        found = None
    if found != ZIGLANG:
        what = f"ziglang is {found}" if found else "ziglang is not installed"
        raise BuildError(f"{what}; the engine is built with: pip install ziglang=={ZIGLANG}")


def _run(arguments: list[str], cache: Path) -> None:
    # Its run-time library, compiled once for each machine, takes longer than the engine.
    folder = os.environ.get("ZIG_GLOBAL_CACHE_DIR", str(cache.resolve() / "zig"))
    told = subprocess.run(
        [sys.executable, "-m", "ziglang", "cc", *arguments],
        cwd=ENGINE,
        env=os.environ | {"ZIG_LOCAL_CACHE_DIR": folder, "ZIG_GLOBAL_CACHE_DIR": folder},
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode:
        line = next((line for line in told.stderr.splitlines() if "error" in line), "no message")
        raise BuildError(f"ziglang refused the engine: {line}")


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{build(sys.argv[1] if sys.argv[1:] else 'scalar')}\n")
    except BuildError as error:
        sys.exit(str(error))
