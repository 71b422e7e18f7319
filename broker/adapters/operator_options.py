"""The options by which every fleet command reaches its broker."""

import argparse
import os

from broker.contract.topics import DEFAULT_PREFIX
from broker.fleet.broker_address import DEFAULT_URL, BrokerAddress, broker_address


def add_broker_options(parser: argparse.ArgumentParser) -> None:
    """Add `--broker`, `--prefix`, `--ca`, `--cert` and `--key`."""
    group = parser.add_argument_group("broker (or SELVEDGE_BROKER__URL, __PREFIX, __CA, …)")
    group.add_argument("--broker", metavar="URL", help=f"mqtt[s]://HOST[:PORT] ({DEFAULT_URL})")
    group.add_argument("--prefix", help=f"of the contract's topics ({DEFAULT_PREFIX})")
    group.add_argument("--ca", metavar="FILE", help="the authority to believe, for mqtts")
    group.add_argument("--cert", metavar="FILE", help="the certificate to show")
    group.add_argument("--key", metavar="FILE", help="its private key")


def chosen_broker(arguments: argparse.Namespace) -> BrokerAddress:
    """Read the options and the environment behind them.

    Raises:
        UsageError: they do not make an address.
    """
    options = {name: getattr(arguments, name) for name in ("prefix", "ca", "cert", "key")}
    return broker_address({**options, "url": arguments.broker}, os.environ)
