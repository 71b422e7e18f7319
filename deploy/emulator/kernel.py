"""Debian's kernel for arm64, unpacked: what boots, and those of its modules that are wanted.

It is not installed: that would run the maker of the initial file system under emulation for
many minutes.
"""

import gzip
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from deploy.emulator import cpio
from deploy.emulator.modules import Dependencies, load_order, parse
from deploy.package import debian_archive
from deploy.package.commands import run
from deploy.package.errors import PackageError
from deploy.package.targets import Architecture, Suite

FIRST_PROGRAM = Path(__file__).with_name("first_program.sh")
PACKAGES = ("linux-image-arm64", "busybox-static")
DISK = ("virtio_pci", "virtio_mmio", "virtio_blk", "ext4", "crc32c_generic")
"""Needed before the root file system is there, on QEMU's `virt`."""
TABLES = ("modules.order", "modules.builtin", "modules.builtin.modinfo")


@dataclass(frozen=True, slots=True)
class Kernel:
    """An unpacked kernel.

    Attributes:
        release: as `uname -r` says.
        root: where its packages are unpacked.
    """

    release: str
    root: Path

    @property
    def image(self) -> Path:
        """What a boot loader starts."""
        return self.root / "boot" / f"vmlinuz-{self.release}"

    @property
    def modules(self) -> Path:
        """Its folder of modules."""
        return self.root / "lib/modules" / self.release

    def device_tree(self, name: str) -> Path:
        """The description of a machine, such as `broadcom/bcm2837-rpi-3-b.dtb`."""
        return self.root / "usr/lib" / f"linux-image-{self.release}" / name

    def load_order(self, names: tuple[str, ...]) -> list[str]:
        """Paths of these modules and of what they need, below `modules`."""
        built_in = (self.modules / "modules.builtin").read_text().splitlines()
        return load_order(names, self._dependencies(), built_in)

    def _dependencies(self) -> Dependencies:
        return parse((self.modules / "modules.dep").read_text())


def fetch(suite: Suite, architecture: Architecture, cache: Path) -> Kernel:
    """Unpack the newest kernel of a release, or take it from the cache.

    Raises:
        PackageError: the archive is not reached.
    """
    newest = debian_archive.versions(list(PACKAGES), suite.name, architecture.debian, cache)
    form = re.compile(rf"linux-image-(\d.*-{re.escape(architecture.debian)})")
    releases = [found[1] for name in newest if (found := form.fullmatch(name))]
    if len(releases) != 1:
        raise PackageError(f"one kernel was expected for {PACKAGES[0]}, found {releases}")
    (release,) = releases
    image = f"linux-image-{release}"
    folder = cache / f"kernel-{release}-{newest[image]}"
    names = [image, "busybox-static"]
    kernel = Kernel(release, debian_archive.fetch(names, suite.name, architecture.debian, folder))
    if not (kernel.modules / "modules.dep").exists():
        run(["depmod", "-b", str(kernel.root), release])
    return kernel


def first_file_system(kernel: Kernel, names: tuple[str, ...]) -> bytes:
    """What is in memory before the disk is: one program, a shell, and these modules."""
    folders = ("bin", "proc", "sys", "dev", "root", "modules")
    files: dict[str, bytes | None] = dict.fromkeys(folders)
    files["init"] = FIRST_PROGRAM.read_bytes()
    files["bin/busybox"] = (kernel.root / "bin/busybox").read_bytes()
    for number, path in enumerate(kernel.load_order(names)):
        files[f"modules/{number:02}-{Path(path).name}"] = (kernel.modules / path).read_bytes()
    return gzip.compress(cpio.archive(files, {"bin/sh": "busybox"}), 1, mtime=0)


def install_modules(kernel: Kernel, names: tuple[str, ...], root: Path) -> None:
    """Put these modules and what they need into a root file system."""
    target = root / "usr/lib/modules" / kernel.release
    for path in [*TABLES, *kernel.load_order(names)]:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(kernel.modules / path, target / path)
    run(["depmod", "-b", str(root), kernel.release])
