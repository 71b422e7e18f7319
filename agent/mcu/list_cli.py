"""`selvedge mcu list`: serial ports, and which have a device that answers."""

import argparse
from typing import Any

from agent.mcu.adapters.ports import ports
from broker.contract.outcome import Outcome
from firmware_bridge.adapters.attached import Attached
from firmware_bridge.adapters.serial_port import SerialPort
from firmware_bridge.errors import BridgeError

ANSWER_S = 1.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mcu list`."""
    parser.add_argument(
        "--port", metavar="URL", action="append", default=[], help="look at this one as well"
    )
    parser.add_argument(
        "--quiet-ports", action="store_true", help="list only; say nothing to the ports"
    )


def run(arguments: argparse.Namespace) -> Outcome:
    """List ports, and say HELLO on each."""
    found = ports(arguments.port)
    rows = [row | ({} if arguments.quiet_ports else _asked(row["port"])) for row in found]
    text = "\n".join(_line(row) for row in rows)
    return Outcome(
        text or "no serial port; plug a device in, or name one with --port", {"ports": rows}
    )


def _asked(url: str) -> dict[str, Any]:
    try:
        with Attached(SerialPort(url)) as attached:
            about = attached.connect(ANSWER_S).about
    except BridgeError as error:
        return {"board": None, "reason": str(error)}
    return {"board": about.board, "plans": len(about.plans)}


def _line(row: dict[str, Any]) -> str:
    words = [row["port"], row["usb"] or "-", row["description"] or "-"]
    if "board" in row:
        words.append(row["board"] or "does not answer")
    return "  ".join(words)
