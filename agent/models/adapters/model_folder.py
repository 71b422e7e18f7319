"""Releases in folders, links that say which of them serves, and journals.

models/<SHA-256 of the manifest>/   manifest.json, and files named by their own SHA-256
models/<…>.new/                     what the installer puts together; no one else looks
models/serving/<pipeline>           a link to a release; <pipeline>.previous is the one before
models/journal/<pipeline>.json
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from agent.adapters.durable import replace, synchronise
from agent.errors import FullError, StorageError
from agent.models.choice import MANIFEST
from agent.models.journal import Journal, Links, read_journal
from agent.models.store import NEW
from broker.contract.blobs import BlobRef
from broker.contract.bundle.manifest import MAX_MANIFEST_BYTES
from broker.contract.shape import to_tree

PREVIOUS = ".previous"
MAX_JOURNAL_BYTES = 64_000
SPARE_BYTES = 16 << 20
"""Of the disk, that the rest of the device needs to go on."""

_RELEASE = re.compile(r"[0-9a-f]{64}")


class ModelFolder:
    """See `ModelStore`; the folder is made when something is put into it."""

    def __init__(self, folder: Path, limit_bytes: Callable[[], int]) -> None:
        self.path = folder
        self._limit_bytes = limit_bytes
        self._serving, self._journals = folder / "serving", folder / "journal"

    def place(self, release: str) -> str:
        """The path of a release's folder, there or not."""
        return str(self.path.absolute() / release)

    def journal(self, pipeline: str) -> Any:
        """The tree of a pipeline's journal; None if there is none, or it is damaged."""
        with _translated(self._journals):
            try:
                with self._journal(pipeline).open("rb") as file:
                    return json.loads(file.read(MAX_JOURNAL_BYTES))
            except FileNotFoundError:
                return None
            except (ValueError, RecursionError):
                return None

    def keep(self, pipeline: str, journal: Journal) -> None:
        """Replace a pipeline's journal."""
        with _translated(self._journals):
            self._journals.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh = self._journals / f"{pipeline}{NEW}"
            replace(self._journal(pipeline), fresh, json.dumps(to_tree(journal)))

    def links(self, pipeline: str) -> Links:
        """Which releases a pipeline's links name, where their folders are there."""
        return Links(self._named(pipeline), self._named(pipeline + PREVIOUS))

    def link(self, pipeline: str, links: Links) -> None:
        """Change both links, `previous` first."""
        with _translated(self._serving):
            self._serving.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name, release in (
                (pipeline + PREVIOUS, links.previous),
                (pipeline, links.serving),
            ):
                self._point(self._serving / name, release)
                synchronise(self._serving)

    def fetched(self, path: str) -> bytes:
        """A manifest that was fetched, or its beginning if it is too long for one."""
        with _translated(Path(path)), Path(path).open("rb") as file:
            return file.read(MAX_MANIFEST_BYTES + 1)

    def manifest(self, release: str) -> bytes | None:
        """The manifest in a release's folder; None if there is no such folder."""
        with _translated(self.path):
            try:
                return self.fetched(str(self.path / release / MANIFEST))
            except StorageError:
                if (self.path / release).is_dir():
                    raise
                return None

    def holds(self, release: str, files: Sequence[BlobRef]) -> bool:
        """Whether a release's folder has all of these, by name and length."""
        with _translated(self.path), os.scandir(self.path / release) as entries:
            found = {entry.name.partition(".")[0]: entry.stat().st_size for entry in entries}
        return all(found.get(ref.sha256) == ref.bytes for ref in files)

    def check_room(self, refs: Sequence[BlobRef]) -> None:
        """See whether these could be fetched and kept.

        Raises:
            FullError: they would exceed the bound of this store, or the disk.
        """
        wanted = sum(ref.bytes for ref in refs)
        self.sweep()
        with _translated(self.path):
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            held = sum(file.stat().st_size for file in self.path.glob("*/*") if file.is_file())
            disk = os.statvfs(self.path)
        limit_bytes, free_bytes = self._limit_bytes(), disk.f_bavail * disk.f_frsize
        if held + wanted > limit_bytes:
            raise FullError(
                f"{wanted} bytes beside {held} exceed models.limit_bytes of {limit_bytes}"
            )
        if 2 * wanted + SPARE_BYTES > free_bytes:  # once as blobs, once as files of the release
            raise FullError(f"{wanted} bytes leave too little of the disk's {free_bytes}")

    def stage(self, release: str) -> None:
        """Make visible what the installer has put together for a release."""
        fresh, target = self.path / f"{release}{NEW}", self.path / release
        with _translated(target):
            if target.is_dir():
                # Another pipeline has other files of it; each one is whole.
                for file in fresh.iterdir():
                    file.replace(target / file.name)
                synchronise(target)
                fresh.rmdir()
            else:
                fresh.replace(target)
            synchronise(self.path)

    def sweep(self) -> None:
        """Delete every folder that no link names and no journal works on."""
        with _translated(self.path):
            if not self.path.is_dir():
                return
            needed = set(self._needed())
            found = {entry.name.removesuffix(NEW) for entry in self.path.iterdir()}
            for release in filter(_RELEASE.fullmatch, found - needed):
                # What a loss of power leaves of it has a name that is no release's.
                place, doomed = self.path / release, self.path / f"{release}{NEW}"
                if doomed.exists():
                    shutil.rmtree(doomed)
                if place.exists():
                    place.replace(doomed)
                    shutil.rmtree(doomed)

    def drop(self, pipeline: str) -> None:
        """Forget a pipeline's journal and links."""
        with _translated(self._journals):
            self._journal(pipeline).unlink(missing_ok=True)
            for name in (pipeline, pipeline + PREVIOUS):
                (self._serving / name).unlink(missing_ok=True)

    def _needed(self) -> Iterator[str]:
        for name in _names(self._serving):
            if release := self._named(name):
                yield release
        for name in _names(self._journals):
            journal = read_journal(self.journal(name.removesuffix(".json")))
            if journal is not None:
                yield from filter(None, (journal.back, journal.release and journal.release.id))

    def _journal(self, pipeline: str) -> Path:
        return self._journals / f"{pipeline}.json"

    def _named(self, name: str) -> str | None:
        """The release that a link names; None if there is no link, or it leads nowhere."""
        link = self._serving / name
        with _translated(link):
            if not link.is_symlink():
                return None
            release = link.readlink().name
            there = _RELEASE.fullmatch(release) and (self.path / release).is_dir()
            return release if there else None

    def _point(self, link: Path, release: str | None) -> None:
        if release is None:
            link.unlink(missing_ok=True)
            return
        fresh = link.with_name(link.name + NEW)
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(Path("..") / release)
        fresh.replace(link)


def _names(folder: Path) -> list[str]:
    with suppress(FileNotFoundError):
        return [path.name for path in folder.iterdir() if not path.name.endswith(NEW)]
    return []


@contextmanager
def _translated(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{error.filename or place}: {error.strerror}") from None
