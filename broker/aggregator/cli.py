"""`selvedge aggregator`: collects the updates of federated jobs, in the foreground."""

import argparse
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from broker.adapters.operator_options import add_broker_options, chosen_broker
from broker.aggregator.app import Aggregator
from broker.contract.outcome import Outcome


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    add_broker_options(parser)
    parser.add_argument(
        "--state",
        metavar="DIR",
        type=Path,
        required=True,
        help="folder with one file for each job; it can be killed and started anew on it",
    )


def run(arguments: argparse.Namespace) -> Outcome:
    """Serve until SIGINT or SIGTERM.

    Raises:
        ConfigError: the state folder cannot be used.
        LinkError: there is no broker.
    """
    logging.basicConfig(stream=sys.stderr, format="selvedge: %(message)s")
    asked_to_stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked_to_stop.set())
    address = chosen_broker(arguments)
    aggregator = Aggregator(address, arguments.state)
    if arguments.json:
        print(json.dumps({"broker": str(address), "jobs": aggregator.jobs, "pid": os.getpid()}))
    else:
        print(f"{address}: {len(aggregator.jobs)} jobs in {arguments.state}, until Ctrl-C")
    sys.stdout.flush()
    try:
        aggregator.run(asked_to_stop)
    finally:
        aggregator.close()
    return Outcome()
