"""A store of models in memory: its power can be cut before, in the middle of and after any call."""

from collections.abc import Callable, Sequence
from typing import Any

from agent.errors import FullError, StorageError
from agent.models.journal import Journal, Links, read_journal
from agent.models.store import NEW
from broker.contract.blobs import BlobRef
from broker.contract.shape import to_tree


class PowerCutError(Exception):
    """The process is gone; what was on the disk by then is there."""


class FakeModels:
    """Keeps what the `ModelStore` protocol says, in plain sight.

    Attributes:
        steps: of the disk so far; each can be the last.
        cut: twice the step before which the power is cut, or one more for after it.
        refuse: called with the method's name before each call; true makes it raise.
        files: of every folder, by the name of the folder and the digest of the file.
        full: there is no room.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.cut: int | None = None
        self.refuse: Callable[[str], bool] = lambda _: False
        self.full = False
        self.journals: dict[str, Any] = {}
        self.serving: dict[str, str] = {}
        self.previous: dict[str, str] = {}
        self.manifests: dict[str, bytes] = {}
        self.files: dict[str, dict[str, int]] = {}
        self.blobs: dict[str, bytes] = {}

    def place(self, release: str) -> str:
        return f"/models/{release}"

    def journal(self, pipeline: str) -> Any:
        self._call("journal")
        return self.journals.get(pipeline)

    def keep(self, pipeline: str, journal: Journal) -> None:
        self._call("keep")
        self._step(lambda: self.journals.__setitem__(pipeline, to_tree(journal)))

    def links(self, pipeline: str) -> Links:
        self._call("links")
        found = self.serving.get(pipeline), self.previous.get(pipeline)
        return Links(*(name if name in self.files else None for name in found))

    def link(self, pipeline: str, links: Links) -> None:
        self._call("link")
        for held, release in ((self.previous, links.previous), (self.serving, links.serving)):
            self._step(lambda held=held, to=release: _put(held, pipeline, to))

    def fetched(self, path: str) -> bytes:
        self._call("fetched")
        return self.blobs[path.rpartition("/")[2]]

    def manifest(self, release: str) -> bytes | None:
        self._call("manifest")
        return self.manifests.get(release)

    def holds(self, release: str, files: Sequence[BlobRef]) -> bool:
        self._call("holds")
        return all(self.files[release].get(ref.sha256) == ref.bytes for ref in files)

    def check_room(self, refs: Sequence[BlobRef]) -> None:
        self._call("check_room")
        if self.full:
            raise FullError("no room")

    def stage(self, release: str) -> None:
        self._call("stage")

        def move() -> None:
            if release + NEW not in self.files:
                raise StorageError("nothing was put together")
            self.files.setdefault(release, {}).update(self.files.pop(release + NEW))
            self.manifests[release] = self.blobs[release]

        self._step(move)

    def sweep(self) -> None:
        self._call("sweep")
        journals = filter(None, map(read_journal, self.journals.values()))
        worked_on = {n for j in journals for n in (j.back, j.release and j.release.id)}
        needed = {*self.serving.values(), *self.previous.values(), *worked_on}
        for name in list(self.files):
            if name.removesuffix(NEW) not in needed:
                self._step(lambda name=name: self._delete(name))

    def drop(self, pipeline: str) -> None:
        self._call("drop")
        for held in (self.journals, self.serving, self.previous):
            held.pop(pipeline, None)

    def put_together(self, release: str, refs: Sequence[BlobRef]) -> None:
        """What the installer does; it may be cut in the middle of it, too."""
        self.files[release + NEW] = {}
        for ref in refs:
            self._step(lambda ref=ref: self.files[release + NEW].__setitem__(ref.sha256, ref.bytes))

    def _delete(self, name: str) -> None:
        del self.files[name]
        self.manifests.pop(name, None)

    def _step(self, change: Callable[[], object]) -> None:
        self.steps += 1
        if self.cut == 2 * self.steps:
            raise PowerCutError
        change()
        if self.cut == 2 * self.steps + 1:
            raise PowerCutError

    def _call(self, name: str) -> None:
        if self.refuse(name):
            raise StorageError(f"models: No space left on device ({name})")


def _put(held: dict[str, str], pipeline: str, release: str | None) -> None:
    if release is None:
        held.pop(pipeline, None)
    else:
        held[pipeline] = release
