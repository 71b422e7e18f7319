"""`selvedge fl stop JOB`: end a job, or let one that was stopped go on."""

import argparse

from broker.adapters.operator_link import OperatorLink
from broker.adapters.operator_options import add_broker_options, chosen_broker
from broker.contract.federated.channels import JobControlChannel
from broker.contract.federated.round import JobControl
from broker.contract.messages import encode
from broker.contract.outcome import Outcome


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    add_broker_options(parser)
    parser.add_argument("job", metavar="JOB", help="its name")
    parser.add_argument("--reason", help="for those who look at the job later")
    parser.add_argument("--undo", action="store_true", help="let it go on with a new round")


def run(arguments: argparse.Namespace) -> Outcome:
    """Say what is wanted; the aggregator does it, at once or when it is back.

    Raises:
        LinkError: there is no broker.
    """
    address = chosen_broker(arguments)
    wanted = JobControl("run" if arguments.undo else "stop", arguments.reason)
    with OperatorLink(address) as link:
        topic = address.topics.topic(JobControlChannel(arguments.job))
        link.publish_retained(topic, encode(wanted))
    return Outcome(
        f"job {arguments.job}: to {wanted.wanted}", {"job": arguments.job, "wanted": wanted.wanted}
    )
