"""Errors of the toolchain; each is one line for people and carries the exit code it ends with."""

from broker.contract.exit_code import ExitCode


class ToolchainError(Exception):
    """Base of every error of this package; its text is one line: what, where, the remedy."""

    exit_code = ExitCode.CONFIGURATION


class UsageError(ToolchainError):
    """The command line asks for what there is not."""

    exit_code = ExitCode.USAGE


class ModelRefused(ToolchainError, ValueError):  # noqa: N818 - a refusal is a verdict, not a fault
    """The bytes are no model, or one that says untrue things about itself."""

    exit_code = ExitCode.MODEL


class UnavailableError(ToolchainError):
    """This machine lacks what is needed; the text names the package."""

    exit_code = ExitCode.UNAVAILABLE
