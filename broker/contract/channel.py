"""What a place in the contract is; the places themselves stand in `topics` and `federated`."""

from dataclasses import dataclass
from typing import ClassVar

NAME = r"[a-z0-9_-]{1,64}"


@dataclass(frozen=True)
class Channel:
    """One place in the contract; subclasses fix `pattern`, who writes it, and whether it stays.

    What is `secret` no device may read, apart from what it writes itself.

    Its fields are the variable levels of the topic: `str` for a name, `int` for a number.
    """

    pattern: ClassVar[str]
    retained: ClassVar[bool]
    writers: ClassVar[tuple[str, ...]]
    secret: ClassVar[bool] = False
