"""`python -m deploy.emulator [--suite NAME] [--package FILE]`: an emulated Pi on this terminal."""

import argparse
import sys
import tempfile
from pathlib import Path

from deploy.emulator import image, installation, qemu
from deploy.emulator.errors import EmulatorError
from deploy.emulator.machine import board
from deploy.package.errors import PackageError
from deploy.package.targets import ARCHITECTURES, SUITES
from deploy.package.wheels import ROOT

CACHE = ROOT / ".cache/emulator"


def main() -> int:
    """Boot a copy that is forgotten afterwards; root logs in without a password."""
    parser = argparse.ArgumentParser(description="Boot an emulated Pi on this terminal.")
    parser.add_argument("--package", type=Path, metavar="FILE", help="a .deb to be on it")
    parser.add_argument(
        "--suite", choices=SUITES, default="bookworm", help="%(default)s if left out"
    )
    asked = parser.parse_args()
    if asked.package and not asked.package.is_file():
        parser.error(f"no package {asked.package}: make deb")
    sys.stderr.write("emulator: what is not in the cache yet takes some minutes, without a word\n")
    try:
        base = image.build(SUITES[asked.suite], ARCHITECTURES["arm64"], CACHE)
        disk = installation.build(base, asked.package, CACHE) if asked.package else base.disk
        with tempfile.TemporaryDirectory(prefix="pi-") as folder:
            words = board(base, disk, Path(folder), "snapshot=on")
            return qemu.start(["-serial", "mon:stdio", *words], stdin=None).wait()
    except (PackageError, EmulatorError) as error:
        sys.stderr.write(f"emulator: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
