"""What a release is made of and what is said of it; the making is done by a process of its own."""

from collections.abc import Iterator
from dataclasses import dataclass

from broker.aggregator.job.machine import Job, State
from broker.aggregator.job.vectors import Vectors, blob
from broker.aggregator.job.words import Out, Say, Show, Supersede, WithdrawFile
from broker.aggregator.store import Store
from broker.contract.blobs import BlobRef
from broker.contract.bundle.manifest import Manifest, PrivacySpent, TrainingRecord, read_manifest
from broker.contract.federated.channels import JobOutcomeChannel
from broker.contract.federated.job import JobSpec, PrivacySpec


@dataclass(frozen=True)
class Order:
    """A release to be made.

    Attributes:
        number: of the release.
        model: the trained parameters, little-endian float32.
        files: what the job's document names, by content.
    """

    spec: JobSpec
    number: int
    model: bytes
    files: dict[BlobRef, bytes]
    record: TrainingRecord
    privacy: PrivacySpent | None


@dataclass(frozen=True)
class Made:
    """A release: all its blobs, the manifest among them."""

    manifest: BlobRef
    blobs: dict[BlobRef, bytes]


def needed(spec: JobSpec) -> Iterator[tuple[BlobRef, bool]]:
    """The files that a release takes beside the parameters; true: for the aggregator alone."""
    if spec.outcome is None:
        return
    if spec.outcome.calibration is not None:
        yield spec.outcome.calibration, True
    if spec.model.backbone is not None:
        yield spec.model.backbone, False


def order(job: Job, store: Store, vectors: Vectors) -> Order | None:
    """What is to be made now, if anything; the same after a restart."""
    if job.state is not State.PUBLISHING:
        return None
    spec, files = job.spec, {}
    for ref, _ in needed(spec):
        data = store.file(ref)
        assert data is not None, "a job begins when its files are there"
        files[ref] = data
    record = TrainingRecord(spec.id, job.finished, job.updates, job.model, job.judged)
    privacy = None
    if job.epsilon is not None:
        privacy = PrivacySpent(job.epsilon, spec.privacy.delta, mechanism(spec.privacy))
    return Order(spec, job.release, blob(vectors.model), files, record, privacy)


def mechanism(privacy: PrivacySpec) -> str:
    """What the noise is and whom it protects, in words."""
    where = (
        "each device adds to its update; unit: a device's examples"
        if privacy.mode == "local"
        else "the aggregator adds to the sum; unit: a device"
    )
    return (
        f"Gaussian noise, multiplier {privacy.noise_multiplier:g} of clip norm "
        f"{privacy.clip_norm or 0:g}, {where}; Rényi accountant, no amplification by sampling"
    )


def files_of(manifest: Manifest) -> list[BlobRef]:
    """All blobs that only this release needs, its manifest left out."""
    golden = (manifest.golden.inputs, manifest.golden.outputs)
    return [*(one.blob for one in manifest.artifacts), *golden]


def shipped(job: Job, store: Store) -> list[BlobRef]:
    """All blobs of the outcome, its manifest last; none if nothing was shipped."""
    outcome = job.outcome
    if outcome is None or outcome.manifest is None:
        return []
    data = store.file(outcome.manifest)
    assert data is not None, "a release is on the disk before it is told"
    return [*files_of(read_manifest(data)), outcome.manifest]


def told_outcome(job: Job, store: Store) -> Iterator[Out]:
    """The files of the outcome, the outcome, and only then what it takes the place of."""
    outcome = job.outcome
    if outcome is None:
        return
    for ref in shipped(job, store):
        data = store.file(ref)
        assert data is not None, "with all its files"
        yield Show(ref, data)
    yield Say(JobOutcomeChannel(job.spec.id), outcome)
    if job.superseded is not None and job.superseded != outcome.manifest:
        yield Supersede(job.superseded)


def told_blobs(job: Job, store: Store) -> set[BlobRef]:
    """All blobs that devices may fetch for a job as it stands."""
    model = job.spec.model
    kept = {job.model, model.initial, *model.trainers.values(), *shipped(job, store)}
    return kept | {ref for ref in (job.control, model.backbone) if ref is not None}


def told_files(spec: JobSpec, store: Store) -> Iterator[Out]:
    """Files that only the aggregator gets are cleared from the broker once they are here."""
    for ref, is_secret in needed(spec):
        if is_secret and store.has_file(ref):
            yield WithdrawFile(ref)
