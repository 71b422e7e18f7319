"""Files as content-addressed retained chunks: what a model travels as, in either direction.

A blob is cut into chunks of `CHUNK_BYTES`, the last one shorter; sixteen chunks share a bucket,
which is what a device subscribes to. No blob is empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated

from broker.contract.federated.channels import BlobChannel
from broker.contract.fields import Digest
from broker.contract.shape import Doc, Range

CHUNK_BYTES = 64_000
"""Below the least limit that a common broker has, 128 kB, with room for its framing."""

BUCKET_CHUNKS = 16
"""One subscription brings about 1 MB; below the queues of every broker that was measured."""

MAX_BLOB_BYTES = 2**28


@dataclass(frozen=True)
class BlobRef:
    """A file by its content."""

    sha256: Digest
    bytes: Annotated[int, Range(1, MAX_BLOB_BYTES), Doc("length of the file")]

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return -(-self.bytes // CHUNK_BYTES)

    @property
    def buckets(self) -> int:
        """Number of buckets."""
        return -(-self.chunks // BUCKET_CHUNKS)

    def chunks_of(self, bucket: int) -> range:
        """The chunks of one bucket."""
        first = bucket * BUCKET_CHUNKS
        return range(first, min(first + BUCKET_CHUNKS, self.chunks))

    def chunk_bytes(self, chunk: int) -> int:
        """Length of one chunk."""
        return min(CHUNK_BYTES, self.bytes - chunk * CHUNK_BYTES)

    def channel(self, chunk: int) -> BlobChannel:
        """The place of one chunk."""
        return BlobChannel(self.sha256, chunk // BUCKET_CHUNKS, chunk)


def blob_ref(data: bytes | memoryview) -> BlobRef:
    """Name a file by its content."""
    return BlobRef(sha256(data).hexdigest(), len(data))


def blob_chunks(ref: BlobRef, data: bytes | memoryview) -> Iterator[tuple[BlobChannel, bytes]]:
    """Every chunk of a file with its place, to be published retained."""
    for chunk in range(ref.chunks):
        start = chunk * CHUNK_BYTES
        yield ref.channel(chunk), bytes(data[start : start + CHUNK_BYTES])
