"""What a job keeps on the disk; SQLite does it in `adapters`.

Everything between two commits becomes durable as one, or not at all.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from broker.contract.blobs import BlobRef


class Verdict(NamedTuple):
    """What became of a device's update; `folded` if the checkpoint of the sums has it."""

    device: str
    examples: int
    size_bytes: int
    losses: tuple[float, float] | None
    whole: bool
    refused: str | None
    folded: bool = False


class Checkpoint(NamedTuple):
    """Sums as little-endian int64, and the weight of what is in them."""

    fixed: bytes | memoryview
    weight: int


class Judgement(NamedTuple):
    """How a device found the round's model, and after the last round the job's first one."""

    examples: int
    loss: float
    correct: int
    baseline_loss: float | None = None
    baseline_correct: int | None = None


class Store(Protocol):
    """One job. All that concerns a round is dropped by `next_round`."""

    def commit(self) -> None:
        """Make durable what was written since the last commit."""

    def append(self, line: bytes) -> None:
        """Add a line to the journal."""

    def journal(self) -> list[bytes]:
        """All lines, oldest first."""

    def put_vector(self, name: str, data: bytes) -> None:
        """Keep a vector under a name, in place of what it held."""

    def vectors(self) -> dict[str, bytes]:
        """All vectors."""

    def put_file(self, data: bytes) -> None:
        """Keep a blob."""

    def file(self, ref: BlobRef) -> bytes | None:
        """A blob that is kept."""

    def has_file(self, ref: BlobRef) -> bool:
        """Whether a blob is kept."""

    def put_slice(self, device: str, number: int, examples: int, data: bytes) -> None:
        """Keep the codec's bytes of a slice."""

    def slice_data(self, device: str, number: int) -> bytes:
        """The bytes of one slice that is held."""

    def held(self) -> Iterator[tuple[str, int, int, int]]:
        """Device, number, examples and length of every slice."""

    def put_verdict(self, verdict: Verdict) -> None:
        """Keep a verdict, and drop the slices of what was refused."""

    def verdicts(self) -> list[Verdict]:
        """All of this round."""

    def put_checkpoint(self, checkpoint: Checkpoint, folded: Iterable[str]) -> None:
        """Keep sums; drop the slices of the devices that are in them."""

    def checkpoint(self) -> Checkpoint | None:
        """The sums, if there are any."""

    def put_judgement(self, device: str, judgement: Judgement) -> None:
        """Keep the first judgement of a device."""

    def judgements(self) -> dict[str, Judgement]:
        """All of this round, by device in the order of their names."""

    def next_round(self) -> None:
        """Drop slices, verdicts, sums and judgements."""
