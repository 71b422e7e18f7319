"""The kinds of field that messages share."""

from typing import Annotated, Any

from broker.contract.channel import NAME
from broker.contract.shape import Length, Pattern, Range

Name = Annotated[str, Pattern(NAME, "1 to 64 of a-z 0-9 _ -")]
Line = Annotated[str, Length(400)]
Count = Annotated[int, Range(0, 2**53 - 1)]
Milliseconds = Count
Digest = Annotated[str, Pattern("[0-9a-f]{64}", "a SHA-256 in 64 hexadecimal digits")]
Tree = dict[str, Any]
