"""Errors of the broker's side; each names the culprit, and carries the exit code it ends with."""

from broker.contract.exit_code import ExitCode


class BrokerError(Exception):
    """Base of every error of this package; its text is one line: what, where, the remedy."""

    exit_code = ExitCode.CONFIGURATION


class UsageError(BrokerError, ValueError):
    """The command line asks for something that does not exist or does not go together."""

    exit_code = ExitCode.USAGE


class ConfigError(BrokerError, ValueError):
    """A file, a folder or a configuration cannot be used."""


class LinkError(BrokerError, ConnectionError):
    """The broker cannot be started or reached, or does not answer."""

    exit_code = ExitCode.LINK


class UnavailableError(BrokerError):
    """This machine lacks what is needed; the text names it."""

    exit_code = ExitCode.UNAVAILABLE
