"""`selvedge fl status [JOB]`: how far federated jobs have come."""

import argparse

from broker.adapters.operator_link import OperatorLink
from broker.adapters.operator_options import add_broker_options, chosen_broker
from broker.contract.outcome import Outcome
from broker.errors import UsageError
from broker.learning.progress import Progress
from broker.learning.watch_cli import add_watch_options, watched


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    add_broker_options(parser)
    parser.add_argument("job", metavar="JOB", nargs="?", help="one job (all)")
    add_watch_options(parser, "--follow")


def run(arguments: argparse.Namespace) -> Outcome:
    """Print a line for each job.

    Raises:
        UsageError: there is nothing to follow.
        LinkError: there is no broker.
    """
    if arguments.wait and not arguments.job:
        raise UsageError("--follow: name the job")
    address = chosen_broker(arguments)
    with OperatorLink(address) as link:
        return watched(link, Progress(address.topics, arguments.job), arguments.job, arguments)
