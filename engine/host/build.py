"""Builds the engine for this machine with its C compiler; results are cached by what went in.

Needs nothing but Python and `cc` (or `$CC`); `python engine/host/build.py` names the library.
"""

import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

ENGINE = Path(__file__).resolve().parents[1]
CACHE = ENGINE.parent / ".cache" / "engine"
# A fused multiply-add rounds once where two operations round twice: never where bytes are promised.
FREESTANDING = ("-std=c99", "-ffreestanding", "-pedantic", "-ffp-contract=off")
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow")
SANITIZERS = (
    *("-g", "-O1", "-fno-sanitize-recover=all"),
    "-fsanitize=address,undefined,float-cast-overflow",
)


class BuildError(RuntimeError):
    """The engine cannot be built; the text is one line and names the remedy."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """Something that can be built from the engine's sources.

    Attributes:
        name: of the file.
        extra: C files with a `main`, relative to the engine's folder.
        flags: how it is optimised, linked or watched.
        kernels: the list in `targets/`, and the folder of its own kernels.
        folders: where its sources are instead, without such a list.
    """

    name: str
    extra: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    kernels: str = "portable"
    folders: tuple[str, ...] = ()


LIBRARY = Artifact("libselvedge.so", flags=("-O3", "-fPIC", "-shared"))
REPLAY = Artifact("replay", ("host/replay.c",), SANITIZERS)
FUZZ_PLANS = Artifact("fuzz_plans", ("host/fuzz_plans.c",), SANITIZERS)
# Roots are of numbers that are not negative: no call of a library for the sake of `errno`.
_TRAINING = (*SANITIZERS, "-fno-math-errno")
TRAIN = Artifact("train", ("host/train.c",), _TRAINING, folders=("training",))
FUZZ_NETWORKS = Artifact(
    "fuzz_networks", ("host/fuzz_networks.c",), _TRAINING, folders=("training",)
)


def build(artifact: Artifact = LIBRARY, cache: Path = CACHE) -> Path:
    """Build an artifact unless it is in the cache; returns its path.

    Raises:
        BuildError: there is no compiler, or it refused the sources.
    """
    compiler = shlex.split(os.environ.get("CC", "cc"))
    listed = ("core", "kernels", f"kernels/{artifact.kernels}")
    folders = artifact.folders or listed
    sources = [*chain.from_iterable(_files(folder, "*.c") for folder in folders)]
    if not artifact.folders:
        sources.append(ENGINE / f"targets/{artifact.kernels}.c")
    extra = [ENGINE / name for name in artifact.extra]
    # What a folder of that name under host/ holds stands in for headers of another machine.
    includes = (ENGINE, ENGINE / "include", ENGINE / "host" / artifact.kernels)
    flags = [*WARNINGS, *artifact.flags, *(f"-I{folder}" for folder in includes)]
    key = _digest(
        [*compiler, _version(compiler), artifact.kernels, *artifact.folders, *flags],
        sorted(ENGINE.rglob("*.[ch]")),
    )
    target = cache / key / artifact.name
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:

        def compiled(source: Path) -> str:
            """An object; artifacts with the same flags share it."""
            kept = target.parent / f"{source.parent.name}-{source.stem}.o"
            if not kept.exists():
                mode = () if source in extra else FREESTANDING
                output = Path(folder) / kept.name
                _run([*compiler, *mode, *flags, "-c", str(source), "-o", str(output)])
                output.replace(kept)
            return str(kept)

        with ThreadPoolExecutor(os.cpu_count()) as several:
            objects = list(several.map(compiled, (*sources, *extra)))
        made = Path(folder) / artifact.name
        _run([*compiler, *artifact.flags, *objects, "-o", str(made)])
        made.replace(target)
    return target


def _files(folder: str, pattern: str) -> list[Path]:
    return sorted((ENGINE / folder).glob(pattern))


def _version(compiler: list[str]) -> str:
    return _run([*compiler, "--version"]).partition("\n")[0]


def _digest(words: list[str], files: list[Path]) -> str:
    digest = hashlib.sha256("\0".join(words).encode())
    for path in files:
        digest.update(str(path.relative_to(ENGINE)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _run(command: list[str]) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise BuildError(f"no C compiler '{command[0]}'; install gcc, or set CC") from None
    except subprocess.CalledProcessError as error:
        line = next(iter(error.stderr.splitlines()), "no message")
        raise BuildError(f"{command[0]} refused the engine: {line}") from None


if __name__ == "__main__":
    sys.stdout.write(f"{build()}\n")
