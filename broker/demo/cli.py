"""`selvedge demo`."""

import argparse
import sys

from broker.contract.exit_code import ExitCode
from broker.contract.outcome import Outcome
from broker.demo.app import Demo

MOST_AGENTS = 16


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--agents", type=_count, default=3, metavar="N", help="how many (3)")
    parser.add_argument("--broker", metavar="URL", help="use this broker, not a private one")


def run(arguments: argparse.Namespace) -> Outcome:
    """Play the demo, telling what happens as it happens."""
    out = sys.stderr if arguments.json else sys.stdout

    def say(topic: str, line: str) -> None:
        print(f"{topic:9} {line}", file=out, flush=True)

    figures = Demo(arguments.agents, arguments.broker, say).run()
    say("done", f"in {figures['seconds']:.0f} s; nothing was left running")
    return Outcome("", figures, ExitCode.LINK if figures["lost"] else ExitCode.DONE)


def _count(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= MOST_AGENTS:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be a number from 1 to {MOST_AGENTS}")
