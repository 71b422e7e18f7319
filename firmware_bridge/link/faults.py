"""A bad line: drops, splits, delays, duplicates and corrupts bytes, the same way for a seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class FaultRates:
    """How bad a line is.

    Attributes:
        corrupt, drop: chance of each byte.
        duplicate, delay, split: chance of each write.
        delay_ms: the longest delay.
    """

    corrupt: float = 0.0
    drop: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0
    split: float = 0.0
    delay_ms: int = 200


class Random(Protocol):
    """What is asked of `random.Random`."""

    def random(self) -> float:
        """A number in [0, 1)."""

    def randrange(self, start: int, stop: int) -> int:
        """A number from `start` up to, not with, `stop`."""

    def randint(self, first: int, last: int) -> int:
        """A number from `first` to `last`."""


class Piece(NamedTuple):
    """Bytes, and how long they are held back."""

    delay_ms: int
    data: bytes


class Faults:
    """One direction of a bad line.

    Args:
        random: the only source of chance.
    """

    def __init__(self, rates: FaultRates, random: Random) -> None:
        self._rates = rates
        self._random = random

    def transmit(self, data: bytes) -> list[Piece]:
        """What becomes of one write."""
        pieces = [self._damage(piece) for piece in self._split(data)]
        if self._happens(self._rates.duplicate):
            pieces = pieces * 2
        return [Piece(self._held_ms(), piece) for piece in pieces if piece]

    def _split(self, data: bytes) -> Iterator[bytes]:
        if len(data) > 1 and self._happens(self._rates.split):
            at = self._random.randrange(1, len(data))
            yield data[:at]
            yield data[at:]
        else:
            yield data

    def _damage(self, data: bytes) -> bytes:
        if not self._rates.corrupt and not self._rates.drop:
            return data
        damaged = bytearray()
        for byte in data:
            if self._happens(self._rates.drop):
                continue
            is_hit = self._happens(self._rates.corrupt)
            damaged.append(byte ^ self._random.randrange(1, 256) if is_hit else byte)
        return bytes(damaged)

    def _held_ms(self) -> int:
        if not self._happens(self._rates.delay):
            return 0
        return self._random.randint(1, self._rates.delay_ms)

    def _happens(self, chance: float) -> bool:
        return chance > 0 and self._random.random() < chance
