"""The disk of an emulated Pi: a Debian that boots, with nothing of ours on it yet."""

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.emulator import kernel
from deploy.emulator.kernel import Kernel
from deploy.guest import root_filesystem
from deploy.package import debian_archive
from deploy.package.commands import run
from deploy.package.targets import Architecture, Suite

ALSO = ("qemu-guest-agent", "e2fsprogs", "util-linux-extra", "libnss-systemd")
"""Packages besides those of the machine in namespaces."""
MODULES = (
    *(
        "virtio_net",
        "virtio_console",
        "xhci_pci",
        "usb_storage",
        "sd_mod",
        "ftdi_sio",
        "cdc_acm",
        "vivid",
    ),
    *("overlay", "configfs", "autofs4", "fuse", "loop", "i6300esb"),
)
SIZE = "1200M"
NETWORK = """\
[Match]
Type=ether
[Network]
Address=10.0.2.15/24
Gateway=10.0.2.2
LinkLocalAddressing=no
IPv6AcceptRA=no
"""
FILES = {
    "etc/systemd/network/10-wire.network": NETWORK,
    "etc/modules-load.d/camera.conf": "vivid\n",
    # One camera, and none of the radios, tuners and outputs that the driver can play as well.
    "etc/modprobe.d/camera.conf": "options vivid n_devs=1 node_types=0x1 num_inputs=1 "
    "input_types=0x0 vid_cap_nr=0\n",
    # A Pi is small: what it writes about itself stays in memory.
    "etc/systemd/journald.conf.d/volatile.conf": "[Journal]\nStorage=volatile\n",
}
WANTED = ("systemd-networkd.service",)


@dataclass(frozen=True, slots=True)
class Base:
    """What a machine of QEMU starts from; none of it is ever written to.

    Attributes:
        disk: a raw image.
        initial: the kernel's first root file system.
    """

    kernel: Kernel
    disk: Path
    initial: Path


def build(suite: Suite, architecture: Architecture, cache: Path) -> Base:
    """Make it, or take it from the cache when no package has a newer version.

    Raises:
        PackageError: this is not root, or the archive is not reached.
    """
    cache.mkdir(parents=True, exist_ok=True)
    boots = kernel.fetch(suite, architecture, cache)
    names = [*root_filesystem.ESSENTIAL, *root_filesystem.SYSTEM, *ALSO]
    newest = debian_archive.versions(names, suite.name, architecture.debian, cache)
    name = f"base-{suite.name}-{_digest(boots, newest)}"
    base = Base(boots, cache / f"{name}.raw", cache / f"{name}.initial")
    if not base.disk.exists():
        base.initial.write_bytes(kernel.first_file_system(boots, kernel.DISK))
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            place = Path(folder)
            root = root_filesystem.build(suite.name, architecture.debian, place, ALSO)
            _finish(root, boots)
            make_disk(root, place / "disk", SIZE).rename(base.disk)
    return base


def _digest(boots: Kernel, newest: dict[str, str]) -> str:
    """Of the packages and of the recipe, which are the files that make the image."""
    digest = hashlib.sha256(f"{boots.release} {sorted(newest.items())}".encode())
    for source in (__file__, kernel.__file__, root_filesystem.__file__, kernel.FIRST_PROGRAM):
        digest.update(Path(source).read_bytes())
    return digest.hexdigest()[:12]


def make_disk(root: Path, disk: Path, size: str) -> Path:
    """Write a folder into a file as an ext4 file system that fills it, without mounting it."""
    run(["mke2fs", "-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", str(root), str(disk), size])
    return disk


def _finish(root: Path, boots: Kernel) -> None:
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    for unit in WANTED:
        link = wants / unit
        if not link.is_symlink():
            link.symlink_to(f"/lib/systemd/system/{unit}")
    kernel.install_modules(boots, MODULES, root)
    shutil.rmtree(root / "usr/share/doc", ignore_errors=True)
