"""The package is the same, byte for byte, whoever builds it and wherever."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from deploy.package.wheels import ROOT

PACKAGE = "selvedge_0.1.0_arm64.deb"


def built(tree: Path, output: Path) -> str:
    """The digest of a package that a tree builds by itself, with its own interpreter's path."""
    words = ["--suite", "bookworm", "--architecture", "arm64", "--output", str(output)]
    subprocess.run(
        [tree / ".venv/bin/python", "-m", "deploy.package", *words], cwd=tree, check=True
    )
    return hashlib.sha256((output / "bookworm" / PACKAGE).read_bytes()).hexdigest()


def copied(tree: Path) -> Path:
    """The sources as they are now, at another place."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for each in filter(None, names.split("\0")):
        (tree / each).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / each, tree / each)
    (tree / ".venv").symlink_to(ROOT / ".venv")
    return tree


def test_two_trees_build_the_same_bytes(tmp_path: Path) -> None:
    trees = [copied(tmp_path / name) for name in ("one", "a-longer-name")]
    first, second = (built(tree, tmp_path / f"out-of-{tree.name}") for tree in trees)
    assert first == second
