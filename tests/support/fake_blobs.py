"""A store of blobs in memory that can refuse, and that outlives its users."""

from collections.abc import Callable

from agent.blobs.store import Held
from agent.errors import StorageError
from broker.contract.blobs import CHUNK_BYTES, BlobRef


class FakeBlobs:
    """Keeps what the `BlobStore` protocol says, in plain sight.

    Attributes:
        refuse: called with the method's name before each call; true makes it raise.
    """

    def __init__(self) -> None:
        self.refuse: Callable[[str], bool] = lambda _: False
        self.whole: dict[str, bytes] = {}
        self.parts: dict[str, bytearray] = {}
        self.have: dict[str, set[int]] = {}
        self.deleted: list[str] = []

    def held(self) -> list[Held]:
        self._call("held")
        parts = [Held(sha256, len(data), False) for sha256, data in self.parts.items()]
        return [*parts, *(Held(sha256, len(data), True) for sha256, data in self.whole.items())]

    def path(self, sha256: str) -> str:
        return f"/blobs/{sha256}"

    def use(self, sha256: str) -> None:
        self._call("use")
        self.whole[sha256] = self.whole.pop(sha256)

    def chunks(self, ref: BlobRef) -> set[int]:
        self._call("chunks")
        return {chunk for chunk in self.have.get(ref.sha256, set()) if chunk < ref.chunks}

    def write(self, ref: BlobRef, chunk: int, data: bytes) -> None:
        self._call("write")
        part = self.parts.setdefault(ref.sha256, bytearray())
        start = chunk * CHUNK_BYTES
        part.extend(bytes(max(0, start - len(part))))
        part[start : start + len(data)] = data
        self.have.setdefault(ref.sha256, set()).add(chunk)

    def read(self, ref: BlobRef, offset: int, length: int) -> bytes:
        self._call("read")
        return bytes(self.parts[ref.sha256][offset : offset + length])

    def finish(self, ref: BlobRef) -> None:
        self._call("finish")
        self.whole[ref.sha256] = bytes(self.parts.pop(ref.sha256)[: ref.bytes])
        self.have.pop(ref.sha256, None)

    def discard(self, ref: BlobRef) -> None:
        self._call("discard")
        self.parts.pop(ref.sha256, None)
        self.have.pop(ref.sha256, None)

    def delete(self, sha256: str) -> None:
        self._call("delete")
        self.deleted.append(sha256)
        for held in (self.whole, self.parts, self.have):
            held.pop(sha256, None)

    def _call(self, name: str) -> None:
        if self.refuse(name):
            raise StorageError(f"blobs: No space left on device ({name})")
