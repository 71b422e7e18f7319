"""`selvedge broker`: a private MQTT broker in the foreground."""

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from broker.adapters import private_broker
from broker.adapters.listen_address import ListenAddress
from broker.adapters.private_broker import RunningBroker
from broker.contract.outcome import Outcome
from broker.errors import LinkError

POLL_S = 0.2


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.epilog = "'selvedge broker init DIR' writes the configuration of one for a fleet"
    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        default="127.0.0.1:1883",
        help="port 0 takes a free one (default: 127.0.0.1:1883)",
    )
    parser.add_argument(
        "--engine",
        choices=("auto", "mosquitto", "amqtt"),
        default="auto",
        help="auto: mosquitto where it is installed, else the embedded amqtt",
    )
    parser.add_argument(
        "--state",
        metavar="DIR",
        type=Path,
        help="folder for what is retained; without one nothing outlives the broker",
    )


def run(arguments: argparse.Namespace) -> Outcome:
    """Serve until SIGINT or SIGTERM; the address is printed first.

    Raises:
        BrokerError: the broker cannot be started, or ends by itself.
    """
    listen = ListenAddress.parse(arguments.listen)
    asked_to_stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked_to_stop.set())
    with private_broker.start(listen, arguments.engine, arguments.state) as running:
        _announce(running, arguments.json)
        while not asked_to_stop.wait(POLL_S):
            if running.process.wait(0):
                raise LinkError(f"{running.engine} ended by itself: {running.process.last_words}")
    return Outcome()


def _announce(running: RunningBroker, as_json: bool) -> None:
    if as_json:
        tree = {"url": running.url, "engine": running.engine, "pid": running.pid}
        print(json.dumps(tree), flush=True)
    else:
        print(f"{running.url} ({running.engine}, until Ctrl-C)", flush=True)
    if not running.address.is_loopback:
        print(
            "selvedge: anyone on the network may read and write here; "
            "'selvedge broker init' writes a configuration with certificates",
            file=sys.stderr,
        )
