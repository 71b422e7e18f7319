"""What a command ends with; the front door prints it as text or as JSON."""

from dataclasses import dataclass, field
from typing import Any

from broker.contract.exit_code import ExitCode


@dataclass(frozen=True)
class Outcome:
    """The answer of a command.

    Attributes:
        text: for people; may have several lines; empty if the command already said it all.
        tree: the same as plain JSON values, printed alone on stdout under `--json`.
    """

    text: str = ""
    tree: dict[str, Any] = field(default_factory=dict)
    exit_code: ExitCode = ExitCode.DONE
