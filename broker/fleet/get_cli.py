"""`selvedge config get`: what a device runs, what is desired of it, what it refused."""

import argparse

from broker.adapters.operator_link import OperatorLink
from broker.adapters.operator_options import add_broker_options, chosen_broker
from broker.contract.outcome import Outcome
from broker.errors import UsageError
from broker.fleet.config_view import ConfigView
from broker.fleet.document import parse_key
from broker.fleet.target import add_fleet_flag, split_target


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.usage = "selvedge config get (DEVICE | --fleet) [KEY] [--json] [options]"
    parser.add_argument("words", metavar="DEVICE [KEY]", nargs="*", help="and a dotted key")
    add_fleet_flag(parser)
    add_broker_options(parser)


def run(arguments: argparse.Namespace) -> Outcome:
    """Read and print.

    Raises:
        UsageError: no device, or a name or key that is none.
        ConfigError: there is no such key.
        LinkError: there is no broker, or no such device.
    """
    device, keys = split_target(arguments.words, fleet=arguments.fleet)
    if len(keys) > 1:
        raise UsageError("give one KEY at most")
    key = parse_key(keys[0]) if keys else ()
    address = chosen_broker(arguments)
    view = ConfigView(address.topics, device)
    with OperatorLink(address) as link:
        for topic, payload in link.retained(view.filters):
            view.receive(topic, payload)
    view.check_known()
    return Outcome(view.text(key), view.tree(key))
