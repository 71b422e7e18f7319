"""What an installation asks of the place where models are kept."""

from collections.abc import Sequence
from typing import Any, Protocol

from agent.models.journal import Journal, Links
from broker.contract.blobs import BlobRef

NEW = ".new"
"""After a release's name: where the installer puts it together; no one else looks."""


class ModelStore(Protocol):
    """Journals, links and folders of releases; every method may raise StorageError.

    What a method has changed is on disk when it returns: wholly, or not at all if it raises or the
    power is lost meanwhile, but for what its own page says.
    """

    def place(self, release: str) -> str:
        """The path of a release's folder, there or not."""

    def journal(self, pipeline: str) -> Any:
        """The tree of a pipeline's journal; None if there is none, or it is damaged."""

    def keep(self, pipeline: str, journal: Journal) -> None:
        """Replace a pipeline's journal."""

    def links(self, pipeline: str) -> Links:
        """Which releases a pipeline's links name, where their folders are there."""

    def link(self, pipeline: str, links: Links) -> None:
        """Change both links; a loss of power may come between `previous` and `serving`."""

    def fetched(self, path: str) -> bytes:
        """A manifest that was fetched, or its beginning if it is too long for one."""

    def manifest(self, release: str) -> bytes | None:
        """The manifest in a release's folder; None if there is no such folder."""

    def holds(self, release: str, files: Sequence[BlobRef]) -> bool:
        """Whether a release's folder has all of these, by name and length."""

    def check_room(self, refs: Sequence[BlobRef]) -> None:
        """See whether these could be fetched and kept.

        Raises:
            FullError: they would exceed the bound of this store, or the disk.
        """

    def stage(self, release: str) -> None:
        """Make visible what the installer has put together for a release."""

    def sweep(self) -> None:
        """Delete every folder that no link names and no journal works on."""

    def drop(self, pipeline: str) -> None:
        """Forget a pipeline's journal and links."""
