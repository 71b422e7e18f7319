"""Errors of the agent; each names the culprit, and carries the exit code of a command it ends."""

from broker.contract.exit_code import ExitCode


class AgentError(Exception):
    """Base of every error of this package; its text is one line: what, where, the remedy."""

    exit_code = ExitCode.CONFIGURATION


class ConfigError(AgentError, ValueError):
    """The configuration cannot be used; restarting does not help."""


class ModelError(AgentError, ValueError):
    """The model file is refused, or does not fit what is asked of it."""

    exit_code = ExitCode.MODEL


class SampleError(AgentError, ValueError):
    """A labelled sample is refused, or cannot be used for what is asked."""

    exit_code = ExitCode.USAGE


class LinkError(AgentError, ConnectionError):
    """The broker or an attached device, or the link to it, fails."""

    exit_code = ExitCode.LINK


class UnavailableError(AgentError):
    """This machine lacks what is needed: a package, a device, a group; the text names it."""

    exit_code = ExitCode.UNAVAILABLE


class SourceError(UnavailableError):
    """An input cannot be opened, or was unplugged; opening it again later may work."""


class ChannelError(AgentError):
    """The peer across the channel between main process and child breaks its framing."""


class StorageError(AgentError):
    """The state folder cannot be read or written."""


class FullError(StorageError):
    """The disk takes no more."""
