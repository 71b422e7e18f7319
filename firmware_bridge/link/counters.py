"""What went over a link, for metrics."""

from collections import Counter
from dataclasses import dataclass, field

from firmware_bridge.link.frame import Verdict


@dataclass(slots=True)
class Counters:
    """Counts since the start; `damaged` by what was wrong."""

    frames_in: int = 0
    sessions: int = 0
    repeated: int = 0
    damaged: Counter[Verdict] = field(default_factory=Counter)
