"""The board itself as far as QEMU plays it: `raspi3b` boots the same disk from its SD card slot."""

import time
from collections.abc import Sequence
from pathlib import Path

from deploy.emulator import kernel, qemu
from deploy.emulator.errors import EmulatorError
from deploy.emulator.image import Base
from deploy.package.commands import run

TREE = "broadcom/bcm2837-rpi-3-b.dtb"
MODULES = (
    *("bcm2835", "sdhci_iproc", "clk_raspberrypi", "raspberrypi_power", "bcm2835_dma"),
    *("ext4", "crc32c_generic"),
)
"""Needed before the card can be read."""
CARD = "2G"
"""The board's model takes powers of two only."""
BOOT_S = 400.0


def boot(base: Base, folder: Path, wanted: Sequence[str], timeout_s: float = BOOT_S) -> str:
    """Boot until the console has said these words one after the other; returns what it said.

    Raises:
        EmulatorError: it does not say them in time.
    """
    card, initial, console = (folder / name for name in ("card.qcow2", "initial", "console"))
    back = ["-F", "raw", "-b", str(base.disk)]
    run(["qemu-img", "create", "-q", "-f", "qcow2", *back, str(card), CARD])
    initial.write_bytes(kernel.first_file_system(base.kernel, MODULES))
    words = [
        *("-M", "raspi3b", "-display", "none", "-monitor", "none", "-no-reboot"),
        *("-kernel", str(base.kernel.image), "-initrd", str(initial)),
        *("-dtb", str(base.kernel.device_tree(TREE))),
        *("-append", "console=ttyS1,115200 root=/dev/mmcblk0 net.ifnames=0"),
        *("-drive", f"file={card},if=sd,format=qcow2"),
        *("-serial", "null", "-serial", f"file:{console}"),
    ]
    with (folder / "qemu").open("w+b") as log:
        process = qemu.start(words, output=log)
        try:
            deadline = time.monotonic() + timeout_s
            while time.monotonic() < deadline and process.poll() is None:
                if says(_read(console), wanted):
                    return _read(console)
                time.sleep(0.5)
        finally:
            process.kill()
            process.wait()
        complaint = _read(folder / "qemu").strip()
    said = _read(console)
    raise EmulatorError(f"raspi3b does not say {wanted}: …{said[-600:]!r} {complaint[-300:]}")


def _read(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def says(said: str, wanted: Sequence[str]) -> bool:
    """Whether the words come in this order."""
    place = 0
    for word in wanted:
        place = said.find(word, place)
        if place < 0:
            return False
        place += len(word)
    return True
