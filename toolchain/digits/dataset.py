"""Labelled images of digits, and their split into what is learned and what is held out."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

IMAGE_SHAPE = (8, 8, 1)
CLASSES = 10
HELD_OUT = 450


@dataclass(frozen=True)
class Digits:
    """Images and what they show.

    Attributes:
        images: uint8 [n, 8, 8, 1]; 0 is paper, 255 is ink.
        labels: int64 [n]; 0 to 9.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        """Count the images."""
        return len(self.images)

    def take(self, indices: NDArray[np.intp]) -> Self:
        """Return the digits at `indices`."""
        return type(self)(self.images[indices], self.labels[indices])


def split(
    digits: Digits, rng: np.random.Generator, held_out: int = HELD_OUT
) -> tuple[Digits, Digits]:
    """Shuffle with `rng` and return (to train with, held out); equal seeds give equal splits."""
    order = rng.permutation(len(digits))
    return digits.take(order[held_out:]), digits.take(order[:held_out])
