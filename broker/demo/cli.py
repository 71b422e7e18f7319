"""`selvedge demo`."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from broker.contract.exit_code import ExitCode
from broker.contract.outcome import Outcome
from broker.demo import recipe
from broker.demo.app import OWN_PREFIX, Demo
from broker.learning.watch_cli import write_curves

MOST_AGENTS, MOST_ROUNDS = 16, 100


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument(
        "--agents", type=_up_to(MOST_AGENTS), default=4, metavar="N", help="how many (4)"
    )
    parser.add_argument(
        "--rounds", type=_up_to(MOST_ROUNDS), default=6, metavar="R", help="of learning (6)"
    )
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="write digits.csv and digits.png, round by round"
    )
    parser.add_argument(
        "--broker", metavar="URL", help=f"use this one, under {OWN_PREFIX}, not a private one"
    )


def run(arguments: argparse.Namespace) -> Outcome:
    """Play the demo, telling what happens as it happens."""
    out = sys.stderr if arguments.json else sys.stdout

    def say(topic: str, line: str) -> None:
        print(f"{topic:9} {line}", file=out, flush=True)

    demo = Demo(arguments.agents, arguments.rounds, arguments.broker, say)
    figures = demo.run()
    if arguments.out is not None and demo.job is not None:
        written = write_curves({recipe.JOB: demo.job}, arguments.out)
        say("written", ", ".join(written))
    say("done", f"in {figures['seconds']:.0f} s; nothing was left running")
    return Outcome("", figures, ExitCode.LINK if figures["lost"] else ExitCode.DONE)


def _up_to(most: int) -> Callable[[str], int]:
    def count(text: str) -> int:
        if text.isdecimal() and 1 <= int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(f"must be a number from 1 to {most}")

    return count
