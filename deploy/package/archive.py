"""One `.deb`, the same bytes from the same sources."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from broker.contract.version import VERSION
from deploy.package import tree
from deploy.package.commands import run
from deploy.package.control import control, package_version
from deploy.package.targets import Architecture, Suite

SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
EPOCH = "1767225600"
"""Time of every file in it; nothing depends on when it was built."""


def build(
    suite: Suite,
    architecture: Architecture,
    wheel: Path,
    cache: Path,
    output: Path,
    version: str | None = None,
    compression: str = "xz",
) -> Path:
    """Build the package for one release and architecture into a folder; returns its path.

    Args:
        compression: `xz` as it is given out; `none` is a minute faster, for tests.

    Raises:
        PackageError: a part cannot be had, or dpkg-deb is not here.
    """
    version = version or VERSION
    output.mkdir(parents=True, exist_ok=True)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        root = Path(folder) / "root"
        root.mkdir()
        tree.build(root, suite, architecture, wheel, cache)
        _set_modes(root)
        about = root / "DEBIAN"
        size = sum(path.lstat().st_size for path in root.rglob("*") if path.is_file())
        about.mkdir()
        (about / "control").write_text(control(version, suite, architecture, size))
        (about / "conffiles").write_text("".join(f"{each}\n" for each in tree.CONFIGURATION))
        (about / "md5sums").write_text(_sums(root))
        for name in SCRIPTS:
            text = (tree.DEPLOY / "debian" / name).read_text()
            (about / name).write_text(text.replace("@VERSION@", package_version(version, suite)))
            (about / name).chmod(0o755)
        made = Path(folder) / f"selvedge_{version}_{architecture.debian}.deb"
        words = [
            "dpkg-deb",
            "--root-owner-group",
            f"-Z{compression}",
            "--build",
            str(root),
            str(made),
        ]
        run(words, environment={"SOURCE_DATE_EPOCH": EPOCH})
        return Path(shutil.move(made, output / made.name))


def _set_modes(root: Path) -> None:
    for path in root.rglob("*"):
        if path.is_symlink():
            continue
        if path.is_dir():
            path.chmod(0o700 if path.name == "credentials" else 0o755)
        else:
            path.chmod(0o755 if os.access(path, os.X_OK) and path.parent.name == "bin" else 0o644)


def _sums(root: Path) -> str:
    lines = []
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        if path.is_file() and not path.is_symlink() and name.parts[0] != "DEBIAN":
            digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
            lines.append(f"{digest}  {name}\n")
    return "".join(lines)
