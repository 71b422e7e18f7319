"""What the process is asked, and what it answers: JSON beside files in a folder."""

from dataclasses import dataclass

from broker.contract.blobs import BlobRef
from broker.contract.bundle.manifest import PrivacySpent, TrainingRecord
from broker.contract.federated.job import JobSpec
from broker.contract.fields import Count

QUESTION, MODEL, ANSWER = "question.json", "model.f32", "answer.json"


@dataclass(frozen=True)
class Question:
    """A release to be made; files that the job's document names lie there by their SHA-256."""

    spec: JobSpec
    number: Count
    record: TrainingRecord
    privacy: PrivacySpent | None = None


@dataclass(frozen=True)
class Answer:
    """What was made; the blobs lie there by their SHA-256. Or why nothing was."""

    manifest: BlobRef | None = None
    blobs: tuple[BlobRef, ...] = ()
    refused: str | None = None
