"""Releases for tests: manifests that hang together, and their files."""

from dataclasses import replace
from typing import Any

from agent.models.journal import Release
from broker.contract.blobs import BlobRef, blob_ref
from broker.contract.bundle.manifest import (
    Artifact,
    Golden,
    InputSpec,
    Manifest,
    OutputSpec,
    Runtime,
    TensorSpec,
    TrainingRecord,
    write_manifest,
)

SOMETHING = blob_ref(b"trained")


class MadeRelease:
    """A release of nothing real: its files are named, and have the lengths that they must have."""

    def __init__(
        self,
        number: int,
        job: str = "digits",
        runtimes: tuple[Runtime, ...] = ("tflite",),
        **changes: Any,
    ) -> None:
        self.model = f"model {number} of {job}".encode()
        inputs, outputs = bytes([number % 251] * 8), bytes([number % 241] * 20)
        manifest = Manifest(
            name=job,
            release=number,
            task="classify",
            input=InputSpec("vector", TensorSpec((1, 4), "int8", 0.5)),
            outputs=(OutputSpec(TensorSpec((1, 10), "int8", 0.5)),),
            artifacts=tuple(
                Artifact(runtime, blob_ref(self.model + runtime.encode())) for runtime in runtimes
            ),
            golden=Golden(2, blob_ref(inputs), blob_ref(outputs)),
            training=TrainingRecord(job, 3, 9, SOMETHING),
        )
        self.manifest = replace(manifest, **changes)
        self.document = write_manifest(self.manifest)
        files = (*(self.model + runtime.encode() for runtime in runtimes), inputs, outputs)
        self.blobs = {blob_ref(data).sha256: data for data in (self.document, *files)}
        self.release = Release(job, number, blob_ref(self.document))

    @property
    def id(self) -> str:
        return self.release.id

    def refs(self) -> tuple[BlobRef, ...]:
        """What a device with a .tflite pipeline needs beside the manifest."""
        golden = self.manifest.golden
        return (self.manifest.artifacts[0].blob, golden.inputs, golden.outputs)
