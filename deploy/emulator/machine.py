"""One QEMU that plays a 64-bit Raspberry-Pi-class machine: Cortex-A72, 512 MB, a disk, a wire."""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from deploy.emulator import qemu
from deploy.emulator.errors import EmulatorError
from deploy.emulator.guest_agent import GuestAgent
from deploy.emulator.image import Base, make_disk
from deploy.emulator.monitor import Monitor

HOST = "10.0.2.2"
"""This machine's loopback, as seen from inside."""
NEIGHBOUR = "10.0.2.100:7"
"""Somebody else on the wire: what is sent there comes back."""
BOOT_S = 240.0
STOP_S = 90.0
STICK = "/dev/sda"
STICK_FOLDER = "/run/stick"
SAVED = "ready"
"""The name of the saved state in a disk."""
BOARD = (
    *("-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "512"),
    *("-display", "none", "-monitor", "none"),
    *("-append", "console=ttyAMA0 root=/dev/vda net.ifnames=0 quiet"),
    *("-netdev", f"user,id=wire,guestfwd=tcp:{NEIGHBOUR}-cmd:cat"),
    *("-device", "virtio-net-pci,netdev=wire,romfile="),
    *("-device", "qemu-xhci,id=usb", "-device", "virtio-serial-pci"),
    *("-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"),
    *("-device", "virtio-blk-pci,drive=disk"),
)
"""A saved state fits a machine of just these words."""


class Machine:
    """A running machine; leaving the context pulls its plug.

    Args:
        base: whose kernel boots.
        disk: with the root file system, raw or qcow2 by its suffix; it is written to.
        restores: go on from the state saved in the disk instead of booting.

    Attributes:
        monitor: of QEMU.
        agent: runs programs inside.
        console: file with what the kernel and systemd printed.
        pid: of QEMU.

    Raises:
        EmulatorError: QEMU does not start.
    """

    def __init__(self, base: Base, disk: Path, *, restores: bool = False) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="pi-")
        folder = Path(self._folder.name)
        self.console = folder / "console"
        words = [
            *("-serial", f"file:{self.console}"),
            *("-qmp", f"unix:{folder / 'monitor'},server=on,wait=off"),
            *board(base, disk, folder, "cache=writeback"),
        ]
        if restores:
            words += ["-loadvm", SAVED]
        self._log = (folder / "qemu").open("w+b")
        self._process = qemu.start(words, output=self._log)
        self.pid = self._process.pid
        try:
            self.monitor = Monitor(folder / "monitor")
            self.agent = GuestAgent(folder / "agent")
        except EmulatorError as error:
            self.cut()
            raise EmulatorError(f"{error}; QEMU said: {self._said()}") from None

    def wait_until_up(self, timeout_s: float = BOOT_S) -> None:
        """Return when programs can be run inside.

        Raises:
            EmulatorError: the machine does not boot; the text ends with its console.
        """
        try:
            self.agent.wait(timeout_s)
        except EmulatorError as error:
            tail = self.console.read_text(errors="replace")[-600:]
            raise EmulatorError(f"{error}; console: …{tail!r}") from None

    def save(self) -> None:
        """Keep the state of everything in the disk, for `restores`."""
        self.monitor.say(f"savevm {SAVED}")

    def set_clock(self, seconds: float) -> None:
        """Set the clock inside: a restored machine has that of the moment it was saved."""
        ran = self.agent.run("date", "-u", "-s", f"@{seconds:.3f}")
        if ran.returncode:
            raise EmulatorError(f"the clock cannot be set: {ran.stderr.strip()}")

    def must(self, *command: str, timeout_s: float = 60.0) -> str:
        """Run a program as root and return what it printed.

        Raises:
            EmulatorError: it fails, or does not end in time.
        """
        ran = self.agent.run(*command, timeout_s=timeout_s)
        if ran.returncode:
            told = (ran.stderr.strip() or ran.stdout.strip())[-300:]
            raise EmulatorError(f"{' '.join(command)[:80]} ends with {ran.returncode}: {told}")
        return ran.stdout

    @contextmanager
    def stick(self, files: Mapping[str, Path]) -> Iterator[str]:
        """Plug in a memory stick with these files, and pull it out; yields the folder inside.

        Raises:
            EmulatorError: it does not come up.
        """
        with tempfile.TemporaryDirectory(dir=self._folder.name) as folder:
            root = Path(folder) / "root"
            root.mkdir()
            for name, path in files.items():
                shutil.copyfile(path, root / name)
            size = sum(path.stat().st_size for path in files.values()) * 11 // 10
            disk = make_disk(root, Path(folder) / "stick", f"{size // 1024 + 8192}K")
            file = {"driver": "file", "filename": str(disk), "read-only": True}
            node = {"node-name": "stick", "driver": "raw", "read-only": True, "file": file}
            self.monitor.ask("blockdev-add", node)
            plugged = {"driver": "usb-storage", "id": "stick-usb", "drive": "stick"}
            self.monitor.ask("device_add", plugged)
            self.must("udevadm", "wait", "--timeout=60", STICK)
            self.must("mkdir", "-p", STICK_FOLDER)
            self.must("mount", "-o", "ro", STICK, STICK_FOLDER)
            yield STICK_FOLDER
            self.must("umount", STICK_FOLDER)
            self.monitor.ask("device_del", {"id": "stick-usb"})
            self.must("udevadm", "wait", "--timeout=60", "--removed", STICK)
            self.monitor.ask("blockdev-del", {"node-name": "stick"})

    def plug_serial(self, name: str, port: str) -> None:
        """Plug a USB serial adapter in that is wired to a tty of this machine."""
        back = {"type": "serial", "data": {"device": port}}
        self.monitor.ask("chardev-add", {"id": name, "backend": back})
        adapter = {"driver": "usb-serial", "id": f"{name}-usb", "chardev": name}
        self.monitor.ask("device_add", adapter)

    def unplug_serial(self, name: str) -> None:
        """Pull it out."""
        self.monitor.ask("device_del", {"id": f"{name}-usb"})

    def shut_down(self) -> None:
        """End it in order.

        Raises:
            EmulatorError: it does not end in time.
        """
        self.agent.tell("guest-shutdown", {"mode": "powerdown"})
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            raise EmulatorError(f"the machine does not shut down in {STOP_S:g} s") from None
        self._leave()

    def cut(self) -> None:
        """Take its power away."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._leave()

    def memory_bytes(self) -> int:
        """What QEMU itself takes of this machine."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * 4096

    def _leave(self) -> None:
        for line in ("monitor", "agent"):
            if hasattr(self, line):
                getattr(self, line).close()

    def _said(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace").strip()[-300:] or "nothing"

    def __enter__(self) -> "Machine":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cut()
        self._log.close()
        self._folder.cleanup()


def board(base: Base, disk: Path, folder: Path, manner: str) -> list[str]:
    """Words for a machine with this disk; its guest agent is heard at `folder / "agent"`.

    Args:
        disk: raw or qcow2 by its suffix.
        manner: how it is written to, in QEMU's words.
    """
    kind = "qcow2" if disk.suffix == ".qcow2" else "raw"
    return [
        *("-kernel", str(base.kernel.image), "-initrd", str(base.initial)),
        *("-drive", f"file={disk},if=none,id=disk,format={kind},{manner}"),
        *("-chardev", f"socket,id=agent,path={folder / 'agent'},server=on,wait=off"),
        *BOARD,
    ]
