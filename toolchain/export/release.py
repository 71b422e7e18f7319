"""A release of a federated job's model: its files, its golden samples, its manifest."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from broker.contract.blobs import BlobRef, blob_ref
from broker.contract.bundle.manifest import (
    Artifact,
    Golden,
    InputSpec,
    Manifest,
    OutputSpec,
    PrivacySpent,
    Runtime,
    TensorSpec,
    TrainingRecord,
    write_manifest,
)
from broker.contract.federated.job import JobSpec
from broker.contract.federated.outcome import OutcomeSpec
from toolchain.convert.convert import Choices, macs_of, to_module, to_plan
from toolchain.errors import ModelRefused
from toolchain.export.calibration import read_npy
from toolchain.export.layers import Floats
from toolchain.export.quantize import Int8, Quantized, Run, Trained, quantize
from toolchain.plan.layout import Header
from toolchain.tflite.model import Quantization, Tensor
from toolchain.training.network import read_network

ROUNDING = "single"
"""That of LiteRT, so that a fleet of both kinds of runtime gives the same bytes."""
MODULES: tuple[tuple[Runtime, str], ...] = (("wasm-simd", "simd"), ("wasm-scalar", "scalar"))
PLAN = Choices("double", "portable")
"""That of microcontrollers; the tolerance of golden samples covers the difference."""
LEAST_TOLERANCE = 2


@dataclass(frozen=True)
class Tools:
    """What a release is made with.

    Attributes:
        run: the engine as LiteRT rounds; `other`: as TFLite Micro does.
        engine: the prebuilt engine of a target.
    """

    run: Run
    other: Run
    engine: Callable[[str], bytes]


@dataclass(frozen=True)
class Files:
    """What a job's document names: backbone, and calibration as `.npy`."""

    backbone: bytes | None = None
    calibration: bytes | None = None


@dataclass(frozen=True)
class Release:
    """Blobs by name; `manifest` is one of them."""

    manifest: BlobRef
    blobs: dict[BlobRef, bytes]


def quantized(spec: JobSpec, parameters: Floats, files: Files, run: Run) -> Quantized:
    """The int8 model that a job's parameters make.

    Args:
        spec: of a job with an `outcome`.
        parameters: float32[P].

    Raises:
        ModelRefused: its parts do not go together.
    """
    wanted = _outcome(spec)
    network = read_network(wanted.network)
    if prod(network.input) != spec.model.example_floats:
        raise ModelRefused(
            f"network: it takes {prod(network.input)} numbers, the job's examples have "
            f"{spec.model.example_floats}"
        )
    scale = None
    if wanted.input_scale:
        scale = Quantization((float(np.float32(wanted.input_scale)),), (wanted.input_zero_point,))
    calibration = None if files.calibration is None else read_npy(files.calibration)
    trained = Trained(network, parameters, files.backbone, scale)
    found = quantize(trained, calibration, run)
    outputs = found.output.elements
    if spec.model.labels and len(spec.model.labels) != outputs:
        raise ModelRefused(
            f"model.labels: {len(spec.model.labels)} names for {outputs} outputs of the network"
        )
    return found


def release(
    spec: JobSpec,
    number: int,
    parameters: Floats,
    files: Files,
    record: TrainingRecord,
    privacy: PrivacySpent | None,
    tools: Tools,
) -> Release:
    """Make all that is shipped of a job; equal arguments give equal bytes.

    Raises:
        ModelRefused: its parts do not go together, the engine lacks an operator, or quantization
            changes more answers than the job allows.
    """
    wanted = _outcome(spec)
    model = quantized(spec, parameters, files, tools.run)
    answers = tools.run(model.model, model.inputs)
    if wanted.task == "classify":
        share = agreement(answers, model.outputs)
        record = replace(record, agreement=share)
        if files.calibration is not None and share < wanted.min_agreement:
            raise ModelRefused(
                f"quantization changes {100 * (1 - share):.1f} % of the answers to the "
                f"calibration, {100 * (1 - wanted.min_agreement):.1f} % may change"
            )
    blobs: dict[BlobRef, bytes] = {}

    def kept(data: bytes) -> BlobRef:
        ref = blob_ref(data)
        blobs[ref] = data
        return ref

    artifacts = [
        Artifact(runtime, kept(data), arena_bytes)
        for runtime, data, arena_bytes in converted(model.model, spec.model.name, tools.engine)
    ]
    chosen = np.unique(np.linspace(0, len(model.inputs) - 1, wanted.golden).round().astype(int))
    inputs, outputs = model.inputs[chosen], answers[chosen]
    golden = Golden(
        len(chosen),
        kept(inputs.tobytes()),
        kept(outputs.tobytes()),
        _tolerance(outputs, tools.other(model.model, inputs)),
    )
    manifest = Manifest(
        name=spec.model.name,
        release=number,
        task=wanted.task,
        input=InputSpec(wanted.input_kind, _tensor(model.input), wanted.preprocessing),
        outputs=(OutputSpec(_tensor(model.output), spec.model.labels),),
        artifacts=(Artifact("tflite", kept(model.model)), *artifacts),
        golden=golden,
        privacy=privacy,
        training=record,
    )
    return Release(kept(write_manifest(manifest)), blobs)


def converted(
    model: bytes, name: str, engine: Callable[[str], bytes]
) -> Iterator[tuple[Runtime, bytes, int]]:
    """The model for each runtime of ours, with the memory that it takes for activations.

    Raises:
        ModelRefused: the engine lacks an operator.
    """
    macs = macs_of(model)
    for runtime, target in MODULES:
        choices = Choices(ROUNDING, target)
        plan = to_plan(model, choices)
        yield runtime, to_module(plan, engine(target), name, choices, macs), _arena_bytes(plan)
    plan = to_plan(model, PLAN)
    yield "plan", plan, _arena_bytes(plan)


def _arena_bytes(plan: bytes) -> int:
    return Header.unpack(memoryview(plan)).arena_bytes


def agreement(answers: Int8, outputs: Floats) -> float:
    """Share of inputs whose largest output is the same before and after quantization."""
    return float((answers.argmax(axis=1) == outputs.argmax(axis=1)).mean())


def _tolerance(one: Int8, other: Int8) -> int:
    """Twice what the two roundings make of a difference; other runtimes lie about there."""
    apart = np.abs(one.astype(int) - other.astype(int)).max()
    return min(255, max(LEAST_TOLERANCE, 2 * int(apart)))


def _tensor(tensor: Tensor) -> TensorSpec:
    found = tensor.quantization
    assert found is not None, "inputs and outputs are int8"
    return TensorSpec(tensor.shape, "int8", found.scales[0], found.zero_points[0])


def _outcome(spec: JobSpec) -> OutcomeSpec:
    if spec.outcome is None:
        raise ModelRefused("outcome: is missing, so the job does not say how to ship its model")
    return spec.outcome
