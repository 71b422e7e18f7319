"""The exit codes that every command of Selvedge shares."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended, for scripts and service managers."""

    DONE = 0
    FINDINGS = 1
    USAGE = 2
    CONFIGURATION = 3
    MODEL = 4
    LINK = 5
    UNAVAILABLE = 6


MEANINGS = {
    ExitCode.DONE: "Done.",
    ExitCode.FINDINGS: "Done, and there is something to look at: what was compared differs, or "
    "the doctor found a problem.",
    ExitCode.USAGE: "The command line is wrong, or the command was interrupted.",
    ExitCode.CONFIGURATION: "The configuration, or a name or message in it, is refused.",
    ExitCode.MODEL: "The model or its input is refused, or the model failed.",
    ExitCode.LINK: "The broker or a device cannot be reached, refuses us, or falls silent.",
    ExitCode.UNAVAILABLE: "This machine lacks what is needed: a package, a device, a file.",
}
