"""Digit models as a job ships them, made and published by hand."""

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from agent.models.journal import Release
from broker.contract.blobs import blob_chunks, blob_ref
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
from broker.contract.federated.channels import JobOutcomeChannel
from broker.contract.federated.outcome import JobOutcome
from broker.contract.messages import encode
from broker.contract.topics import Topics
from tests.support.brokers import TestClient
from tests.support.exports import litert
from tests.support.wasm_modules import module_of
from toolchain.convert.convert import Choices
from toolchain.digits import Digits, quantize, split, train
from toolchain.digits.adapters import scikit
from toolchain.tflite.dtype import DType
from toolchain.tflite.model import Tensor
from toolchain.tflite.reader import read

TOPICS = Topics()
EPOCHS = 2
GOLDEN = 6
TOLERANCE = 4
"""Quanta: TFLite and our engine round in two ways."""


@cache
def known() -> Digits:
    return split(scikit.load(), np.random.default_rng(7))[0]


@cache
def digits_model(seed: int) -> bytes:
    """An int8 model that differs from every other seed's, and knows its digits roughly."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        network = train(known(), np.random.default_rng(seed), epochs=EPOCHS)
        return quantize(network, known().images)


def spec_of(tensor: Tensor) -> TensorSpec:
    quantization = tensor.quantization
    assert tensor.dtype is DType.INT8
    assert quantization is not None
    return TensorSpec(tensor.shape, "int8", quantization.scales[0], quantization.zero_points[0])


@dataclass
class Shipment:
    """A release and all of its files."""

    manifest: Manifest
    files: list[bytes]
    document: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.document = write_manifest(self.manifest)

    @property
    def release(self) -> Release:
        training = self.manifest.training
        assert training is not None
        return Release(training.job, self.manifest.release, blob_ref(self.document))

    def sha256(self, runtime: str = "tflite") -> str:
        artifact = self.manifest.artifact(runtime)
        assert artifact is not None
        return artifact.blob.sha256

    def bent(self, **changes: Any) -> "Shipment":
        """The same files under another manifest."""
        return Shipment(replace(self.manifest, **changes), self.files)

    def publish(
        self, client: TestClient, *, corrupt: str | None = None, shipped: bool = True
    ) -> None:
        """Publish every file, then the word; `corrupt` is the digest of a file that is damaged."""
        for data in (self.document, *self.files):
            ref = blob_ref(data)
            for channel, chunk in blob_chunks(ref, data):
                bent = bytes([chunk[0] ^ 1]) + chunk[1:] if ref.sha256 == corrupt else chunk
                client.publish(TOPICS.topic(channel), bent, retain=True)
        release = self.release
        outcome = JobOutcome(release.job, release.release, shipped, release.manifest)
        topic = TOPICS.topic(JobOutcomeChannel(release.job))
        client.publish(topic, encode(outcome), retain=True)


def shipment(
    seed: int, number: int, job: str = "digits", model: bytes | None = None, **changes: Any
) -> Shipment:
    """A release of the digits model of a seed, with golden samples that LiteRT computed."""
    model = digits_model(seed) if model is None else model
    graph = read(model).main
    given, found = (spec_of(graph.tensors[at]) for at in (graph.inputs[0], graph.outputs[0]))
    chance = np.random.default_rng(number)
    inputs = chance.integers(-128, 128, (GOLDEN, *given.shape[1:])).astype(np.int8)
    outputs = litert(model, inputs)
    artifacts: dict[Runtime, bytes] = {
        "tflite": model,
        "wasm-simd": module_of(model, Choices(target="simd")),
        "wasm-scalar": module_of(model, Choices(target="scalar")),
    }
    golden = [inputs.tobytes(), outputs.tobytes()]
    manifest = Manifest(
        name=job,
        release=number,
        task="classify",
        input=InputSpec("image", given),
        outputs=(OutputSpec(found),),
        artifacts=tuple(Artifact(runtime, blob_ref(data)) for runtime, data in artifacts.items()),
        golden=Golden(GOLDEN, blob_ref(golden[0]), blob_ref(golden[1]), TOLERANCE),
        training=TrainingRecord(job, 1, 1, blob_ref(b"trained")),
    )
    return Shipment(replace(manifest, **changes), [*artifacts.values(), *golden])
