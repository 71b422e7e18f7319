"""What the core is given of the disk, beside its outbox."""

from dataclasses import dataclass

from agent.blobs.store import BlobStore
from agent.learning.jobs.kit import Ports
from agent.learning.samples.store import SampleStore
from agent.models.store import ModelStore


@dataclass(frozen=True)
class Stores:
    """Places that outlive the agent, each with its own bounds."""

    samples: SampleStore
    blobs: BlobStore
    learning: Ports
    models: ModelStore
