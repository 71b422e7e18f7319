"""`selvedge config set`: change what is desired, and wait for what becomes of it."""

import argparse
import math
import random
import time

from broker.adapters.operator_link import OperatorLink
from broker.adapters.operator_options import add_broker_options, chosen_broker
from broker.contract.exit_code import ExitCode
from broker.contract.outcome import Outcome
from broker.contract.shape import to_tree
from broker.errors import LinkError, UsageError
from broker.fleet.config_change import ConfigChange
from broker.fleet.document import Change, parse_changes, select
from broker.fleet.target import add_fleet_flag, split_target
from broker.fleet.text import printable, value_text

DEFAULT_WAIT_S = 10.0
POLL_S = 0.02
CONTENTION_S = 5.0
GRACE_S = 0.5
"""After a publication: another operator who read before it may still hide it."""

RETRY_S = (0.01, 0.25)
"""Before a change is made again, so that operators who collide do not collide again."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.usage = "selvedge config set (DEVICE | --fleet) KEY=VALUE... [--unset KEY] [options]"
    parser.add_argument(
        "words", metavar="DEVICE KEY=VALUE", nargs="*", help="dotted keys; values are JSON or text"
    )
    add_fleet_flag(parser)
    parser.add_argument("--unset", metavar="KEY", action="append", default=[], help="repeatable")
    parser.add_argument(
        "--reset", action="store_true", help="start from an empty document, not from the present"
    )
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=float,
        default=DEFAULT_WAIT_S,
        help="for the device's answer; 0: do not wait (default: 10)",
    )
    add_broker_options(parser)


def run(arguments: argparse.Namespace) -> Outcome:
    """Publish the new document and tell what the devices made of it.

    Raises:
        UsageError: no device, or a name, key or number that is none.
        ConfigError: what is desired now cannot be changed so.
        LinkError: there is no broker, or others undo the change.
    """
    device, assignments = split_target(arguments.words, fleet=arguments.fleet)
    changes = parse_changes(assignments, arguments.unset)
    if not 0 <= arguments.wait < math.inf:
        raise UsageError("--wait takes a number of seconds, 0 or more")
    address = chosen_broker(arguments)
    change = ConfigChange(address.topics, device, changes)
    with OperatorLink(address) as link:
        for topic, payload in link.retained(change.filters):
            change.receive(topic, payload)
        link.publish_retained(change.topic, change.publication(reset=arguments.reset))
        _follow(link, change, arguments.wait)
    return outcome(change, device, changes, waited=arguments.wait > 0)


def _follow(link: OperatorLink, change: ConfigChange, wait_s: float) -> None:
    """Make the change again while others overtake it, then wait for the devices' answers."""
    started = published_at = time.monotonic()
    retry_at = math.inf
    while (now := time.monotonic()) < started + max(wait_s, CONTENTION_S):
        enough = change.answered or (change.in_place and now >= started + wait_s)
        if enough and now >= published_at + GRACE_S:
            return
        if change.overtaken and retry_at == math.inf:
            retry_at = now + random.uniform(*RETRY_S)  # noqa: S311 - not a secret
        if now >= retry_at:
            link.publish_retained(change.topic, change.publication())
            retry_at, published_at = math.inf, now
        if (message := link.receive(POLL_S)) is not None:
            change.receive(*message)
    if not change.in_place:
        raise LinkError(f"others keep changing {change.topic}, or it is never echoed; try again")


def outcome(
    change: ConfigChange, device: str | None, changes: list[Change], *, waited: bool
) -> Outcome:
    """Tell what has been reached: refused keys end with 3, a missing answer with 5."""
    lines = [f"{device or 'fleet'}: version {change.version} is desired"]
    refused = {name: change.refused(reported) for name, reported in change.answers.items()}
    for name, reported in change.answers.items():
        lines += [f"  {name}: {line}" for line in _applied(reported.applied, changes)]
        for key, reason in sorted(reported.errors.items()):
            word = "refused" if key in refused[name] else "also refused"
            lines.append(f"  {name}: {word}: {printable(key)}: {printable(reason, 400)}")
    silent = sorted(change.awaited) if waited else []
    lines += [f"  {name}: no answer; it is {change.state(name)}" for name in silent]
    code = ExitCode.DONE
    if any(refused.values()):
        code = ExitCode.CONFIGURATION
    elif silent:
        code = ExitCode.LINK
    tree = {
        "version": change.version,
        "desired": change.document,
        "devices": {name: to_tree(reported) for name, reported in change.answers.items()},
        "refused": {name: errors for name, errors in refused.items() if errors},
        "silent": silent,
        "exit_code": int(code),
    }
    return Outcome("\n".join(lines), tree, code)


def _applied(applied: object, changes: list[Change]) -> list[str]:
    lines = []
    for change in changes:
        key = ".".join(change.path)
        try:
            lines.append(f"{key} = {value_text(select(applied, change.path))}")
        except KeyError:
            lines.append(f"{key} is not set")
    return lines
