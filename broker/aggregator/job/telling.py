"""What the fleet is told of a job as it stands on the disk."""

from collections.abc import Iterator

from broker.aggregator.job import releasing
from broker.aggregator.job.machine import Job
from broker.aggregator.job.report import told_round
from broker.aggregator.job.vectors import Vectors, blob
from broker.aggregator.job.words import Out, Say, Show
from broker.aggregator.round.machine import Round
from broker.aggregator.store import Store
from broker.aggregator.strategies.scaffold import CONTROL
from broker.contract.federated.channels import AckChannel, MissingChannel, RoundChannel
from broker.contract.federated.round import Ack


def all_retained(job: Job, store: Store, vectors: Vectors) -> Iterator[Out]:
    """Everything that stays on the broker but status, blobs before what names them."""
    yield Show(job.model, blob(vectors.model))
    if job.asked is not None and (first := store.file(job.spec.model.initial)) is not None:
        yield Show(job.spec.model.initial, first)
    if job.control is not None:
        yield Show(job.control, blob(vectors.state[CONTROL]))
    yield from releasing.told_files(job.spec, store)
    yield Say(RoundChannel(job.spec.id), told_round(job))
    yield from releasing.told_outcome(job, store)


def standing(round_: Round, device: str) -> Say:
    """How a device stands in a round."""
    word = round_.standing(device)
    kind = AckChannel if isinstance(word, Ack) else MissingChannel
    return Say(kind(round_.spec.id, round_.number, device), word)
