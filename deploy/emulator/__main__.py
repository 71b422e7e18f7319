"""`python -m deploy.emulator [--package FILE]`: an emulated Pi on this terminal."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.emulator import image, installation
from deploy.emulator.errors import EmulatorError
from deploy.emulator.machine import BOARD, PROGRAM
from deploy.package.errors import PackageError
from deploy.package.targets import ARCHITECTURES, SUITES
from deploy.package.wheels import ROOT

CACHE = ROOT / ".cache/emulator"


def main() -> int:
    """Boot a copy that is forgotten afterwards; root logs in without a password."""
    parser = argparse.ArgumentParser(description="Boot an emulated Pi on this terminal.")
    parser.add_argument("--package", type=Path, metavar="FILE", help="a .deb to be on it")
    asked = parser.parse_args()
    try:
        base = image.build(SUITES["bookworm"], ARCHITECTURES["arm64"], CACHE)
        disk = installation.build(base, asked.package, CACHE) if asked.package else base.disk
    except (PackageError, EmulatorError) as error:
        sys.stderr.write(f"emulator: {error}\n")
        return 1
    kind = "qcow2" if asked.package else "raw"
    with tempfile.TemporaryDirectory() as folder:
        words = [
            *(PROGRAM, "-kernel", str(base.kernel.image), "-initrd", str(base.initial)),
            *("-drive", f"file={disk},if=none,id=disk,format={kind},snapshot=on"),
            *("-chardev", f"socket,id=agent,path={folder}/agent,server=on,wait=off"),
            *("-serial", "mon:stdio", *BOARD),
        ]
        return subprocess.run(words, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
