"""What fetching asks of the place where blobs lie."""

from dataclasses import dataclass
from typing import Protocol

from broker.contract.blobs import BlobRef


@dataclass(frozen=True)
class Held:
    """A blob on the disk, or a part of one; `bytes` is what it takes."""

    sha256: str
    bytes: int
    whole: bool


class BlobStore(Protocol):
    """Blobs by their SHA-256; every method may raise StorageError."""

    def held(self) -> list[Held]:
        """All of it, what was not used for longest first."""

    def path(self, sha256: str) -> str:
        """Where a whole blob lies."""

    def use(self, sha256: str) -> None:
        """Note that a whole blob is used now."""

    def chunks(self, ref: BlobRef) -> set[int]:
        """The chunks of a part; after a power cut one may be told that is not there."""

    def write(self, ref: BlobRef, chunk: int, data: bytes) -> None:
        """Add a chunk to a part."""

    def read(self, ref: BlobRef, offset: int, length: int) -> bytes:
        """Read from a part; fewer bytes where it ends."""

    def finish(self, ref: BlobRef) -> None:
        """Make a part durable, and a whole blob of it."""

    def discard(self, ref: BlobRef) -> None:
        """Let go of a part."""

    def delete(self, sha256: str) -> None:
        """Let go of a blob, and of its part."""
