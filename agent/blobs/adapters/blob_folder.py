"""Blobs as files of a folder: `<sha256>`, and while it comes `<sha256>.part` with its chunks.

`<sha256>.have` names the chunks of a part, four bytes each. It is not synchronised with it: after a
power cut it may promise too much, which the digest of the whole then brings to light.
"""

import os
import re
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.adapters.durable import synchronise
from agent.blobs.store import Held
from agent.errors import StorageError
from broker.contract.blobs import CHUNK_BYTES, BlobRef

NAME = re.compile(r"([0-9a-f]{64})(\.part)?")
PART = ".part"
HAVE = ".have"


class BlobFolder:
    """See `BlobStore`; the folder is made when something is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def held(self) -> list[Held]:
        """All of it, what was not used for longest first."""
        found: list[tuple[int, Held]] = []
        with self._translated():
            if not self._folder.exists():
                return []
            for entry in os.scandir(self._folder):
                if match := NAME.fullmatch(entry.name):
                    state = entry.stat()
                    whole = match[2] is None
                    found.append((state.st_mtime_ns, Held(match[1], state.st_size, whole)))
        return [held for _, held in sorted(found, key=lambda one: one[0])]

    def path(self, sha256: str) -> str:
        """Where a whole blob lies."""
        return str(self._folder / sha256)

    def use(self, sha256: str) -> None:
        """Note that a whole blob is used now."""
        with self._translated():
            os.utime(self._folder / sha256)

    def chunks(self, ref: BlobRef) -> set[int]:
        """The chunks of a part."""
        with self._translated():
            if not self._file(ref, PART).exists() or not self._file(ref, HAVE).exists():
                return set()
            data = self._file(ref, HAVE).read_bytes()
        told = array("I", data[: len(data) // 4 * 4])
        return {chunk for chunk in told if chunk < ref.chunks}

    def write(self, ref: BlobRef, chunk: int, data: bytes) -> None:
        """Add a chunk to a part."""
        with self._translated():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._file(ref, PART), os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                _write_all(descriptor, data, chunk * CHUNK_BYTES)
            finally:
                os.close(descriptor)
            with self._file(ref, HAVE).open("ab") as file:
                file.write(array("I", [chunk]).tobytes())

    def read(self, ref: BlobRef, offset: int, length: int) -> bytes:
        """Read from a part."""
        with self._translated(), self._file(ref, PART).open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def finish(self, ref: BlobRef) -> None:
        """Make a part durable, and a whole blob of it."""
        part = self._file(ref, PART)
        with self._translated():
            descriptor = os.open(part, os.O_WRONLY)
            try:
                os.ftruncate(descriptor, ref.bytes)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            part.replace(self._folder / ref.sha256)
            self._file(ref, HAVE).unlink(missing_ok=True)
            synchronise(self._folder)

    def discard(self, ref: BlobRef) -> None:
        """Let go of a part."""
        self._unlink(ref.sha256, HAVE, PART)

    def delete(self, sha256: str) -> None:
        """Let go of a blob, and of its part."""
        self._unlink(sha256, HAVE, PART, "")

    def _unlink(self, sha256: str, *ends: str) -> None:
        with self._translated():
            for end in ends:
                (self._folder / f"{sha256}{end}").unlink(missing_ok=True)

    def _file(self, ref: BlobRef, end: str) -> Path:
        return self._folder / f"{ref.sha256}{end}"

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(f"{self._folder}: {error.strerror}") from None


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written
