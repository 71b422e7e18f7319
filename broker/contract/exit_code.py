"""The exit codes that every command of Selvedge shares."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended, for scripts and service managers."""

    DONE = 0
    USAGE = 2
    CONFIGURATION = 3
    MODEL = 4
    LINK = 5
    UNAVAILABLE = 6
