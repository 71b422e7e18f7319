"""Errors of the contract: what a peer sent, or what we were about to send, breaks it."""

from broker.contract.exit_code import ExitCode


class ContractError(ValueError):
    """Base of every error of this package; its text is the one line that a user sees."""

    exit_code = ExitCode.CONFIGURATION


class TopicError(ContractError):
    """A topic, or a name that should become part of one, is not in the contract."""


class MessageError(ContractError):
    """A payload is not what its topic calls for."""
