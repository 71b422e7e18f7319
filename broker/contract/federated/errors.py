"""Errors of federated learning: bytes or numbers from a peer that break its contract."""

from broker.contract.errors import MessageError


class CodecError(MessageError):
    """The bytes of a slice, or a vector to encode, are not what the codec of the job calls for."""


class UpdateError(MessageError):
    """A message of an update is not a slice."""


class JobError(MessageError):
    """A job contradicts itself or asks for more than the contract bounds."""
