"""The board itself as far as QEMU plays it: `raspi3b` boots the same disk from its SD card slot."""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.emulator import kernel
from deploy.emulator.errors import EmulatorError
from deploy.emulator.image import Base
from deploy.package.commands import run

PROGRAM = "qemu-system-aarch64"
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
        *(PROGRAM, "-M", "raspi3b", "-display", "none", "-monitor", "none", "-no-reboot"),
        *("-kernel", str(base.kernel.image), "-initrd", str(initial)),
        *("-dtb", str(base.kernel.device_tree(TREE))),
        *("-append", "console=ttyS1,115200 root=/dev/mmcblk0 net.ifnames=0"),
        *("-drive", f"file={card},if=sd,format=qcow2"),
        *("-serial", "null", "-serial", f"file:{console}"),
    ]
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and process.poll() is None:
            said = console.read_text(errors="replace") if console.exists() else ""
            if says(said, wanted):
                return said
            time.sleep(0.5)
    finally:
        process.kill()
        complaint = process.communicate()[1].decode(errors="replace").strip()
    said = console.read_text(errors="replace") if console.exists() else ""
    raise EmulatorError(f"raspi3b does not say {wanted}: …{said[-600:]!r} {complaint[-300:]}")


def says(said: str, wanted: Sequence[str]) -> bool:
    """Whether the words come in this order."""
    place = 0
    for word in wanted:
        place = said.find(word, place)
        if place < 0:
            return False
        place += len(word)
    return True
