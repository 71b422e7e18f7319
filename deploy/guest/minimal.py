"""The smallest Debian that boots, as apt itself makes one, for this machine's own processor.

Other than in `root_filesystem` the packages' scripts have run, and apt knows of all that is there.
"""

import hashlib
import os
import shutil
from pathlib import Path

from deploy.package.commands import run
from deploy.package.debian_archive import KEYRING, mirror
from deploy.package.errors import PackageError

PACKAGES = ("systemd-sysv", "procps")
FORM = 1
"""Of what is made here; another number makes it anew."""


def build(suite: str, architecture: str, wanted: tuple[str, ...], cache: Path) -> Path:
    """Make the folder, or take it from the cache; it must not be changed: copy it.

    Args:
        wanted: packages that apt has downloaded in there, with all that they need, and not
            installed: so it can install them without a network.

    Raises:
        PackageError: mmdebstrap is not here, this is not root, or the archive is not reached.
    """
    if os.geteuid() != 0:
        raise PackageError("a root file system can be made by root only")
    key = "\0".join((str(FORM), suite, architecture, *PACKAGES, *wanted))
    root = cache / f"minimal-{suite}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    if root.exists():
        return root
    cache.mkdir(parents=True, exist_ok=True)
    made = cache / f"{root.name}.making"
    shutil.rmtree(made, ignore_errors=True)
    # mmdebstrap's own apt leaves out what packages recommend, one at a terminal does not.
    words = "apt-get -qq -o APT::Install-Recommends=true install --download-only"
    download = f'chroot "$1" {words} {" ".join(wanted)}'
    run(
        [
            *("mmdebstrap", "--quiet", f"--arch={architecture}", "--variant=minbase"),
            *("--skip=cleanup/apt", f"--customize-hook={download}"),
            f"--include={','.join(PACKAGES)}",
            *(suite, str(made), f"deb [signed-by={KEYRING}] {mirror()} {suite} main"),
        ]
    )
    (made / "etc/machine-id").write_text("0" * 31 + "1\n")
    made.rename(root)
    return root
