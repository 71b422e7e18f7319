"""What the doctor says."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One line.

    Attributes:
        level: `warn` limits what can be done, `problem` keeps the agent from its work.
        remedy: what to do; empty if there is nothing to do.
    """

    check: str
    level: Literal["ok", "warn", "problem"]
    text: str
    remedy: str = ""
