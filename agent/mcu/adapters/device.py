"""The device that a command means: on a port, or emulated for as long as the command runs."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tqdm import tqdm

from agent.errors import ConfigError, UnavailableError
from agent.mcu.adapters.image import image
from agent.mcu.adapters.plan_source import DevicePlan
from agent.mcu.door import translated
from firmware_bridge.adapters import emulator
from firmware_bridge.adapters.attached import Attached
from firmware_bridge.adapters.emulator import Emulator
from firmware_bridge.adapters.serial_port import BAUD, SerialPort
from firmware_bridge.calls.methods import Sizes

MAX_BAUD = 12_000_000


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add what names a device to a command's arguments."""
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument(
        "--port", metavar="URL", help="a device file, or a URL such as socket://HOST:PORT"
    )
    group.add_argument("--emulate", action="store_true", help="a board in QEMU, for this command")
    add_image(parser)
    parser.add_argument(
        "--baud", type=_baud, default=BAUD, metavar="N", help=f"of the port ({BAUD})"
    )


def add_image(parser: argparse.ArgumentParser) -> None:
    """Add what names the firmware of an emulated board."""
    parser.add_argument(
        "--image", metavar="FILE", help="firmware for the emulated board, instead of our own"
    )


@contextmanager
def device(arguments: argparse.Namespace, *, counting: bool = False) -> Iterator[Attached]:
    """Connect to the device; what the bridge raises inside is the agent's error outside.

    Args:
        counting: time of an emulated board is made of instructions.

    Raises:
        LinkError: nobody answers, or the port fails.
        UnavailableError: there is no emulator or no firmware for it.
        ConfigError: an image for a device that is not emulated.
    """
    if arguments.image is not None and not arguments.emulate:
        raise ConfigError("--image is for --emulate; a device has its firmware in it")
    with ExitStack() as stack, translated():
        port = arguments.port
        if port is None:
            port = stack.enter_context(board(arguments.image, counting=counting)).port
        attached = stack.enter_context(Attached(SerialPort(port, arguments.baud)))
        attached.connect()
        yield attached


def board(given: str | None = None, *, counting: bool = False) -> Emulator:
    """Start the emulated board, with an image that is given or with ours.

    Raises:
        UnavailableError: there is no emulator or no firmware for it.
    """
    if not emulator.is_available():
        raise UnavailableError(f"{emulator.PROGRAM} is not installed; apt install qemu-system-arm")
    return Emulator(image(counting=counting, given=given), counts_instructions=counting)


def upload(attached: Attached, model: DevicePlan) -> Sizes:
    """Bring a plan to a device, with a bar on a terminal."""
    data = model.plan.data
    with tqdm(
        total=len(data), unit="B", unit_scale=True, leave=False, disable=not sys.stderr.isatty()
    ) as bar:

        def show(stored: int) -> None:
            bar.update(stored - bar.n)

        return attached.upload(data, model.sha256, show)


def _baud(text: str) -> int:
    if not text.isdecimal() or not 1200 <= int(text) <= MAX_BAUD:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate from 1200 to {MAX_BAUD}")
    return int(text)
