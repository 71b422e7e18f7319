"""Copies of a root file system: a layer over it where the kernel can, else file by file."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.package.commands import run


@contextmanager
def copied(made: Path, folder: Path) -> Iterator[Path]:
    """Give a copy of `made` below `folder` that may be changed; `made` stays as it is meanwhile.

    Raises:
        PackageError: it can be made neither way.
    """
    root, upper, work = (folder / name for name in ("root", "upper", "work"))
    for each in (root, upper, work):
        each.mkdir(parents=True)
    if not _mount(made, upper, work, root):
        run(["cp", "-a", f"{made}/.", str(root)])
        yield root
        return
    try:
        yield root
    finally:
        # What ran in it may still be ending; the mount goes with the last of it.
        run(["umount", "--lazy", str(root)])


def _mount(lower: Path, upper: Path, work: Path, root: Path) -> bool:
    layers = f"lowerdir={lower},upperdir={upper},workdir={work}"
    told = subprocess.run(
        ["mount", "-t", "overlay", "selvedge", "-o", layers, str(root)],
        check=False,
        capture_output=True,
    )
    return told.returncode == 0
