"""The package on the disk of an emulated Pi, installed there by the Pi's own dpkg."""

import hashlib
import tempfile
from pathlib import Path

from deploy.emulator.image import Base
from deploy.emulator.machine import BOARD, Machine
from deploy.package.commands import run

AGENT = "selvedge-agent.service"
INSTALL_S = 900.0


def build(base: Base, package: Path, cache: Path) -> Path:
    """Make a disk with the package on it, or take it from the cache; copy it before it is used.

    It can be booted, or restored to the moment after the installation: then the agent is stopped
    and programs can be run at once.

    Raises:
        EmulatorError: the machine does not boot, or the package cannot be installed.
    """
    digest = hashlib.sha256(package.read_bytes() + Path(__file__).read_bytes())
    digest.update(" ".join((base.disk.name, *BOARD)).encode())
    disk = cache / f"installed-{digest.hexdigest()[:12]}.qcow2"
    if disk.exists():
        return disk
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        made = Path(folder) / "disk.qcow2"
        words = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(base.disk)]
        run([*words, str(made)])
        with Machine(base, made) as pi:
            pi.wait_until_up()
            with pi.stick({package.name: package}) as path:
                # Its packages are unpacked ones: its dpkg does not know that Python is there.
                words = ["dpkg", "-i", "--force-depends", f"{path}/{package.name}"]
                pi.must(*words, timeout_s=INSTALL_S)
            pi.must("systemctl", "stop", AGENT)
            pi.must("sync")
            pi.save()
            pi.shut_down()
        made.rename(disk)
    return disk


def copy(disk: Path, folder: Path) -> Path:
    """A copy to be written to."""
    target = folder / disk.name
    run(["cp", "--sparse=always", "--reflink=auto", str(disk), str(target)])
    return target
