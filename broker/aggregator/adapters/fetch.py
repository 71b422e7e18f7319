"""A blob on its way into memory: performs what `BlobDownload` asks for."""

from hashlib import sha256

from broker.aggregator.adapters.link import Link
from broker.contract import blob_download as d
from broker.contract.blobs import BlobRef
from broker.contract.federated.channels import BlobChannel, JobFileChannel
from broker.contract.topics import Topics


class Fetch:
    """One download.

    Attributes:
        ref: what is fetched.
        data: the blob, once `done`.
        reason: why it failed.
    """

    def __init__(self, ref: BlobRef, link: Link, topics: Topics, job: str | None = None) -> None:
        """Prepare; the first event is `Up`. A file of a job has a place of its own."""
        self.ref, self._link, self._topics, self._job = ref, link, topics, job
        self.data = bytearray(ref.bytes)
        self._download = d.BlobDownload(ref)

    @property
    def done(self) -> bool:
        """Whether it is whole and right."""
        return self._download.state is d.State.DONE

    @property
    def reason(self) -> str | None:
        """Why it failed."""
        return self._download.reason

    def handle(self, event: d.Event, now_ms: int) -> None:
        """Take an event and do what follows from it."""
        for effect in self._download.handle(event, now_ms):
            match effect:
                case d.Subscribe(bucket):
                    self._link.subscribe(self._bucket(bucket))
                case d.Unsubscribe(bucket):
                    self._link.unsubscribe(self._bucket(bucket))
                case d.Store(_, offset, data):
                    self.data[offset : offset + len(data)] = data
                case d.Verify():
                    self.handle(d.Hashed(sha256(self.data).hexdigest()), now_ms)

    def _bucket(self, bucket: int) -> str:
        sha256, filter_of = self.ref.sha256, self._topics.filter
        if self._job is None:
            return filter_of(BlobChannel, sha256=sha256, bucket=bucket)
        return filter_of(JobFileChannel, job=self._job, sha256=sha256, bucket=bucket)
