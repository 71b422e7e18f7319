"""What is on disk of one pipeline's models, and as much of it in memory."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypedDict, Unpack

from agent.errors import ModelError, StorageError
from agent.models.journal import Journal, Links, Refusal, Release, State, read_journal
from agent.models.store import ModelStore
from broker.contract.blobs import BlobRef
from broker.contract.bundle.manifest import Manifest, read_manifest
from broker.contract.errors import MessageError

MAX_DECIDED = 64

Fits = Callable[[Manifest], tuple[BlobRef, ...]]
"""The files of a release that a pipeline needs; raises ModelError if it cannot serve there."""


class Changes(TypedDict, total=False):
    """Of a journal, beside its state."""

    configured: str
    release: Release | None
    back: str | None
    refusal: Refusal | None
    decided: dict[str, int]
    starts: int
    orderly: bool


@dataclass
class Record:
    """A journal and two links; what changes here is on disk first.

    Attributes:
        manifest: of the release that serves; None while the configured model does.
    """

    pipeline: str
    store: ModelStore
    fits: Fits
    journal: Journal = field(default_factory=lambda: Journal(""))
    links: Links = field(default_factory=Links)
    manifest: Manifest | None = None

    @property
    def release(self) -> Release:
        """What is being installed, which there must be."""
        assert self.journal.release is not None, "an installation without a release"
        return self.journal.release

    def read(self, model: str) -> None:
        """Read what a former process left; `model` is what the configuration names.

        A release that is not whole any more does not serve: what came before does.

        Raises:
            StorageError: it cannot be read.
        """
        self.links = self.store.links(self.pipeline)
        found = read_journal(self.store.journal(self.pipeline))
        self.journal = found or Journal(model)
        self.manifest = self.whole(self.links.serving)
        if found is None and self.manifest is not None:
            # The journal is lost; the manifest tells as much of it as is needed.
            served = {job_of(self.manifest): self.manifest.release}
            self.journal = replace(self.journal, decided=served)
        if self.links.serving is not None and self.manifest is None:
            back = self.links.previous if self.whole(self.links.previous) else None
            self.link(Links(back, None))

    def keep(self, state: State | None = None, **changes: Unpack[Changes]) -> None:
        """Replace the journal.

        Raises:
            StorageError: the one before is still there.
        """
        fresh = replace(self.journal, state=(state or self.journal.step).value, **changes)
        self.store.keep(self.pipeline, fresh)
        self.journal = fresh

    def link(self, links: Links) -> None:
        """Change what serves.

        Raises:
            StorageError: `links` may be half of the way.
        """
        self.store.link(self.pipeline, links)
        self.assume(links)

    def assume(self, links: Links) -> None:
        """Take it that these are the links, whatever the disk says."""
        self.links = links
        self.manifest = self.whole(links.serving)

    def served(self) -> Release | None:
        """The release that serves; None while the configured model does.

        Raises:
            StorageError: its manifest cannot be read.
        """
        if self.manifest is None or self.links.serving is None:
            return None
        data = self.store.manifest(self.links.serving) or b""
        manifest = BlobRef(self.links.serving, max(1, len(data)))
        return Release(job_of(self.manifest), self.manifest.release, manifest)

    def settle(
        self, reason: str | None, state: State = State.IDLE, others: Iterable[Release] = ()
    ) -> None:
        """What was being installed is decided, and is not taken up again.

        Args:
            reason: why it does not serve; None: it does.
            others: releases that are decided with it.

        Raises:
            StorageError: see `keep`.
        """
        release, refusal = self.journal.release, self.journal.refusal
        if release is not None:
            refusal = None if reason is None else refused(release, reason)
        decided = self._decided([*others, *filter(None, [release])])
        self.keep(state, release=None, back=None, refusal=refusal, decided=decided)

    def rest(self, reason: str) -> None:
        """Nothing is under way in this process, whatever the disk says."""
        release, refusal = self.journal.release, self.journal.refusal
        refusal = refusal if release is None else refused(release, reason)
        self.journal = replace(self.journal, state="idle", release=None, refusal=refusal)

    def _decided(self, releases: Iterable[Release]) -> dict[str, int]:
        decided = dict(self.journal.decided)
        for one in releases:
            decided[one.job] = max(one.release, decided.pop(one.job, 0))
        return dict(list(decided.items())[-MAX_DECIDED:])

    def whole(self, release: str | None) -> Manifest | None:
        """The manifest in a release's folder, if all that this pipeline needs is there."""
        try:
            data = None if release is None else self.store.manifest(release)
            if release is None or data is None:
                return None
            manifest = read_manifest(data)
            return manifest if self.store.holds(release, self.fits(manifest)) else None
        except (MessageError, ModelError, StorageError):
            return None


def job_of(manifest: Manifest) -> str:
    """The job that a release is of."""
    return manifest.name if manifest.training is None else manifest.training.job


def refused(release: Release, reason: str) -> Refusal:
    """Why a release does not serve, in one line."""
    return Refusal(release.job, release.release, " ".join(reason.split())[:400])
