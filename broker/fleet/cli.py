"""`selvedge devices`: who is there."""

import argparse
import time

from broker.adapters.operator_link import OperatorLink
from broker.adapters.operator_options import add_broker_options, chosen_broker
from broker.contract.outcome import Outcome
from broker.fleet.roster import Roster


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    add_broker_options(parser)


def run(arguments: argparse.Namespace) -> Outcome:
    """List every device whose status the broker retains.

    Raises:
        LinkError: there is no broker.
    """
    address = chosen_broker(arguments)
    roster = Roster(address.topics)
    with OperatorLink(address) as link:
        for topic, payload in link.retained(roster.filters):
            roster.receive(topic, payload)
    return Outcome(roster.text(time.time_ns() // 1_000_000), {"devices": roster.tree()})
