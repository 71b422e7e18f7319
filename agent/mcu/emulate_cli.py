"""`selvedge mcu emulate`: a board in QEMU, in the foreground."""

import argparse
import json
import signal
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from time import sleep
from types import FrameType

from agent.errors import LinkError
from agent.mcu.adapters.device import add_image, board
from agent.mcu.door import translated
from agent.mcu.fault_words import Damage, parse
from broker.contract.outcome import Outcome
from firmware_bridge.adapters.bad_line import BadLine
from firmware_bridge.adapters.emulator import BOARD

POLL_S = 0.2


class _StopError(Exception):
    """Somebody asked to stop."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mcu emulate`."""
    add_image(parser)
    parser.add_argument(
        "--fault",
        metavar="NAME=VALUE,…",
        help="a bad line: corrupt, drop (chance of a byte), duplicate, delay, split (of a write), "
        "delay_ms, seed",
    )


def run(arguments: argparse.Namespace) -> Outcome:
    """Print the port, and run until SIGINT or SIGTERM.

    Raises:
        UnavailableError: there is no emulator or no firmware for it.
        LinkError: the emulator ends by itself.
    """
    damage = parse(arguments.fault) if arguments.fault else None
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        with translated(), ExitStack() as stack:
            _serve(stack, arguments.image, damage, as_json=arguments.json)
    except _StopError:
        pass
    return Outcome()


def _serve(stack: ExitStack, image: str | None, damage: Damage | None, *, as_json: bool) -> None:
    emulator = stack.enter_context(board(image))
    port = emulator.port
    carry: Callable[[], None] = partial(sleep, POLL_S)
    if damage is not None:
        line = stack.enter_context(BadLine(port, damage.rates, damage.seed))
        port, carry = line.port, line.carry
    _announce(port, emulator.pid, as_json=as_json)
    while emulator.is_running:
        carry()
    raise LinkError("the emulator ended by itself")


def _announce(port: str, pid: int, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"port": port, "board": BOARD, "pid": pid}), flush=True)
    else:
        print(f"{port} ({BOARD}, until Ctrl-C)", flush=True)


def _stop(number: int, frame: FrameType | None) -> None:
    raise _StopError
