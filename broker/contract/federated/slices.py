"""How a vector of parameters is cut into slices, and which of them somebody holds."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from broker.contract.federated.errors import UpdateError

MAX_SLICES = 2**16
"""Of one update, all vectors together; a message names each by its number."""

MAX_MISSING = 1000
"""So many ranges a device is told at once; the next message tells the rest."""


@dataclass(frozen=True)
class Cut:
    """The slices of an update: those of its first vector, then those of the second, if any.

    Attributes:
        parameters: length of each vector.
        slice_parameters: length of every slice of a vector but the last.
        vectors: 1, or 2 when the strategy uploads a control variate as well.
    """

    parameters: int
    slice_parameters: int
    vectors: int = 1

    @property
    def per_vector(self) -> int:
        """Number of slices of one vector."""
        return -(-self.parameters // self.slice_parameters)

    @property
    def count(self) -> int:
        """Number of slices of an update."""
        return self.per_vector * self.vectors

    def vector_of(self, number: int) -> int:
        """Which vector a slice of the update belongs to."""
        return number // self.per_vector

    def index_of(self, number: int) -> int:
        """Which slice of its vector a slice of the update is."""
        return number % self.per_vector

    def length(self, index: int) -> int:
        """Number of parameters in slice `index` of a vector."""
        return min(self.slice_parameters, self.parameters - index * self.slice_parameters)

    def span(self, index: int) -> slice:
        """Where slice `index` lies in its vector."""
        start = index * self.slice_parameters
        return slice(start, start + self.length(index))


def ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Numbers as inclusive ranges, ascending: `{1, 2, 5}` is `[(1, 2), (5, 5)]`."""
    found: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def missing(held: Collection[int], count: int) -> list[tuple[int, int]]:
    """The first `MAX_MISSING` ranges of slices that are not held."""
    return ranges(number for number in range(count) if number not in held)[:MAX_MISSING]


def numbers_in(told: Iterable[tuple[int, ...]], count: int) -> list[int]:
    """The slices that a peer's ranges name, ascending.

    Raises:
        UpdateError: a range is not a pair, is reversed, overlaps the one before or leaves the
            update.
    """
    numbers: list[int] = []
    next_free = 0
    for pair in told:
        if len(pair) != 2 or not next_free <= pair[0] <= pair[1] < count:
            raise UpdateError(f"range {pair} of slices is refused: ascending pairs below {count}")
        numbers.extend(range(pair[0], pair[1] + 1))
        next_free = pair[1] + 1
    return numbers
