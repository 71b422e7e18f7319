"""Builds the firmware for a board with its compiler; results are cached by what went in.

`python firmware_bridge/firmware/build.py [BOARD] [--with f32] [--crashes]` names the image.
`mps2-an386` needs Debian's `gcc-arm-none-eabi`, `posix` the machine's own `cc`.
"""

import argparse
import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

FIRMWARE = Path(__file__).resolve().parent
ENGINE = FIRMWARE.parents[1] / "engine"
CACHE = FIRMWARE.parents[1] / ".cache" / "firmware"
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow")
FREESTANDING = ("-std=c99", "-ffreestanding", "-ffunction-sections", "-fdata-sections")


class BuildError(RuntimeError):
    """The firmware cannot be built; the text is one line and names the remedy."""


@dataclass(frozen=True, slots=True)
class Board:
    """How a board's image is made.

    Attributes:
        compiler: its name, or the environment variable that overrides it.
        kernels: the engine's list of kernels, in `engine/targets`.
        fast: how kernels are optimized.
        small: how all else is, and portable kernels that the list has better ones for.
    """

    folder: str
    image: str
    compiler: str
    kernels: str
    flags: tuple[str, ...]
    linking: tuple[str, ...]
    remedy: str
    fast: str = "-O1"
    small: str = "-O1"


BOARDS = {
    "mps2-an386": Board(
        folder="port/mps2_an386",
        image="firmware.elf",
        compiler="arm-none-eabi-gcc",
        kernels="cortex_m",
        flags=(
            *("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
            *("-fno-tree-loop-distribute-patterns", "-pedantic"),
        ),
        fast="-O2",
        small="-Os",
        linking=(
            *("-nostartfiles", "-nostdlib", "-Wl,--gc-sections", "-Wl,--no-warn-rwx-segments"),
            *("-T", str(FIRMWARE / "port/mps2_an386/board.ld")),
        ),
        remedy="apt install gcc-arm-none-eabi",
    ),
    "posix": Board(
        folder="port/posix",
        image="firmware",
        compiler="cc",
        kernels="portable",
        flags=("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
        linking=("-fsanitize=address,undefined",),
        remedy="apt install gcc",
    ),
}
FAMILIES = ("f32", "s16")
"""Networks of other types than int8; an image has their kernels only if it is asked for."""
COUNTING_MS_TICKS = 25_000 * 100
PARTS = ("link", "calls", "store", "runner", "text")


def build(
    name: str = "mps2-an386",
    *,
    crashes: bool = False,
    counting: bool = False,
    kernels: str | None = None,
    families: Collection[str] = (),
    cache: Path = CACHE,
) -> Path:
    """Build a board's image unless it is in the cache; returns its path.

    Args:
        crashes: build in the method that crashes on purpose; for tests.
        counting: for an emulator that counts instructions, whose time runs ahead of ours.
        kernels: another of the engine's lists of kernels.
        families: of `FAMILIES`, what the image can run beside int8 networks.

    Raises:
        BuildError: there is no compiler, or it refused the sources.
    """
    board = BOARDS[name]
    kernels = kernels or board.kernels
    compiler = shlex.split(os.environ.get("CC", board.compiler))
    if name != "posix":
        compiler = [board.compiler]
    flags = [*WARNINGS, *board.flags, f"-I{FIRMWARE}", f"-I{ENGINE}", f"-I{ENGINE / 'include'}"]
    flags += ["-DSV_WITH_CRASHES"] if crashes else []
    flags += [f"-DBOARD_MS_TICKS={COUNTING_MS_TICKS}"] if counting else []
    flags += [f"-DSV_WITHOUT_{one.upper()}" for one in FAMILIES if one not in families]
    words = [
        *compiler,
        _version(compiler, board),
        *flags,
        *board.linking,
        board.fast,
        board.small,
        kernels,
    ]
    target = cache / _digest(words, board) / board.image
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as text:
        folder = Path(text)
        _write_engine_hash(folder)
        objects = []
        for number, source in enumerate(_sources(board, kernels)):
            mode: tuple[str, ...] = ("-std=c99",) if name == "posix" else FREESTANDING
            mode += (board.fast if _is_fast(source, kernels) else board.small,)
            made = folder / f"{number}-{source.stem}.o"
            arguments = [*mode, *flags, f"-I{folder}", "-c", str(source), "-o", str(made)]
            _run([*compiler, *arguments], board)
            objects.append(str(made))
        image = folder / board.image
        own = () if name == "posix" else ("-lc", "-lgcc")
        _run(
            [
                *compiler,
                *board.flags,
                board.small,
                *board.linking,
                *objects,
                *own,
                "-o",
                str(image),
            ],
            board,
        )
        image.replace(target)
    return target


def _sources(board: Board, kernels: str) -> list[Path]:
    folders = [FIRMWARE / part for part in (*PARTS, board.folder)]
    folders += [ENGINE / "core", ENGINE / "kernels", ENGINE / "kernels" / kernels]
    found = [path for folder in folders for path in sorted(folder.glob("*.c"))]
    return [*found, *sorted(FIRMWARE.glob("*.c")), ENGINE / "targets" / f"{kernels}.c"]


def _is_fast(source: Path, kernels: str) -> bool:
    is_kernel = ENGINE / "kernels" in source.parents
    return is_kernel and not (source.parent / kernels / source.name).exists()


def _write_engine_hash(folder: Path) -> None:
    digest = hashlib.sha256()
    for path in sorted(ENGINE.rglob("*.[ch]")):
        digest.update(path.read_bytes())
    octets = ", ".join(f"0x{octet:02x}" for octet in digest.digest()[:8])
    text = f"#define SV_ENGINE_HASH {{{octets}}}\n"
    (folder / "selvedge_engine_hash.h").write_text(text)


def _digest(words: list[str], board: Board) -> str:
    digest = hashlib.sha256("\0".join(words).encode())
    for root in (ENGINE, FIRMWARE, FIRMWARE / board.folder):
        for path in sorted([*root.rglob("*.[ch]"), *root.rglob("*.ld")]):
            digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _version(compiler: list[str], board: Board) -> str:
    return _run([*compiler, "--version"], board).partition("\n")[0]


def _run(command: list[str], board: Board) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise BuildError(f"no compiler '{command[0]}': {board.remedy}") from None
    except subprocess.CalledProcessError as error:
        line = next((word for word in error.stderr.splitlines() if "error" in word), "no message")
        raise BuildError(f"{command[0]} refused the firmware: {line}") from None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build the firmware.")
    parser.add_argument("board", nargs="?", choices=BOARDS, default="mps2-an386")
    parser.add_argument("--crashes", action="store_true", help="can crash on purpose; for tests")
    parser.add_argument("--counting", action="store_true", help="for QEMU with -icount")
    parser.add_argument("--kernels", help="another list of the engine's kernels")
    parser.add_argument(
        "--with",
        dest="families",
        choices=FAMILIES,
        action="append",
        default=[],
        help="also run networks of float32, or with int16 activations; may be repeated",
    )
    asked = parser.parse_args()
    try:
        path = build(
            asked.board,
            crashes=asked.crashes,
            counting=asked.counting,
            kernels=asked.kernels,
            families=asked.families,
        )
        sys.stdout.write(f"{path}\n")
    except BuildError as error:
        sys.exit(str(error))
