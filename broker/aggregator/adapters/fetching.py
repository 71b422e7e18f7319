"""The blobs that jobs wait for, one at a time for each of them."""

from broker.aggregator.adapters.fetch import Fetch
from broker.aggregator.adapters.link import Link
from broker.contract import blob_download as d
from broker.contract.blobs import BlobRef
from broker.contract.federated.channels import BlobChannel, JobFileChannel
from broker.contract.topics import Topics

Key = tuple[str, str]
"""A job, and what it wants the blob for."""


class Fetching:
    """Downloads by job and purpose."""

    def __init__(self, link: Link, topics: Topics) -> None:
        """Begin with none."""
        self._link, self._topics = link, topics
        self._fetches: dict[Key, Fetch] = {}

    def want(self, key: Key, ref: BlobRef, now_ms: int, *, secret: bool = False) -> None:
        """Begin a download, unless there is one under this key; a secret one is of the job."""
        if key not in self._fetches:
            job = key[0] if secret else None
            self._fetches[key] = Fetch(ref, self._link, self._topics, job)
            self._fetches[key].handle(d.Up(), now_ms)

    def up(self, now_ms: int) -> None:
        """A new link: subscribe anew."""
        for fetch in self._fetches.values():
            fetch.handle(d.Down(), now_ms)
            fetch.handle(d.Up(), now_ms)

    def take(self, channel: BlobChannel | JobFileChannel, payload: bytes, now_ms: int) -> None:
        """Take a chunk."""
        for (job, _), fetch in self._fetches.items():
            mine = not isinstance(channel, JobFileChannel) or channel.job == job
            if mine and fetch.ref.sha256 == channel.sha256:
                fetch.handle(d.Chunk(channel.bucket, channel.chunk, payload), now_ms)

    def ended(self, now_ms: int) -> list[tuple[Key, Fetch]]:
        """Look at the clock; what is done, or has failed, leaves."""
        for fetch in self._fetches.values():
            fetch.handle(d.Due(), now_ms)
        over = [(key, one) for key, one in self._fetches.items() if one.done or one.reason]
        for key, _ in over:
            del self._fetches[key]
        return over
