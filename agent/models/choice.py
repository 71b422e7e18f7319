"""Which file of a release a pipeline runs, and how its configuration reads then."""

from collections.abc import Collection, Iterator
from dataclasses import replace

from agent.config.device import PipelineConfig
from agent.config.processing import ClassifyPostprocess, Preprocess
from agent.errors import ModelError
from agent.models.journal import Release
from agent.runtime.choose import RUNTIMES
from broker.contract.blobs import BlobRef
from broker.contract.bundle.manifest import Artifact, Manifest
from broker.contract.shape import parse

ARTIFACTS = {
    "tflite": ("tflite",),
    "wasmtime": ("wasm-simd", "wasm-scalar"),
    "wasm3": ("wasm-scalar",),
    "host": ("plan",),
    "mcu": ("tflite", "plan"),
}
"""What each of our runtimes takes, the best first."""

MANIFEST = "manifest.json"
SUFFIXES = {"tflite": ".tflite", "wasm-simd": ".wasm", "wasm-scalar": ".wasm", "plan": ".plan"}


def artifact_of(
    manifest: Manifest, config: PipelineConfig, machine_has: Collection[str]
) -> Artifact:
    """Pick the file for a pipeline.

    With runtime `auto` a pipeline keeps to the kind of file that it is configured with, where the
    release has it: who chose a sandbox stays in it.

    Args:
        machine_has: names of the runtimes that are installed here.

    Raises:
        ModelError: the release has none that this pipeline could run here.
    """
    wanted = [name for runtime in _runtimes(config, machine_has) for name in ARTIFACTS[runtime]]
    for name in wanted:
        if found := manifest.artifact(name):
            return found
    has = ", ".join(one.runtime for one in manifest.artifacts)
    raise ModelError(f"it has {has}; runtime {config.runtime} here takes {', '.join(wanted)}")


def _runtimes(config: PipelineConfig, machine_has: Collection[str]) -> Iterator[str]:
    if config.runtime != "auto":
        yield config.runtime
        return
    known = [one.name for one in RUNTIMES if one.name in machine_has]
    alike = [
        name
        for name in known
        if any(config.model.endswith(SUFFIXES[artifact]) for artifact in ARTIFACTS[name])
    ]
    yield from dict.fromkeys([*alike, *known])


def check_release(manifest: Manifest, release: Release) -> None:
    """Refuse a manifest that is of something else than what it was offered as.

    Raises:
        ModelError: its release or its job differ.
    """
    if manifest.release != release.release:
        raise ModelError(f"its manifest is of release {manifest.release}")
    if manifest.training is not None and manifest.training.job != release.job:
        raise ModelError(f"its manifest is of job {manifest.training.job}")


def files_of(manifest: Manifest, artifact: Artifact) -> tuple[BlobRef, ...]:
    """Everything of a release that a device needs beside its manifest, each once."""
    golden = manifest.golden
    return tuple(dict.fromkeys((artifact.blob, golden.inputs, golden.outputs)))


def file_name(artifact: Artifact) -> str:
    """What an artifact is called in the folder of its release."""
    return artifact.blob.sha256 + SUFFIXES[artifact.runtime]


def golden_name(ref: BlobRef) -> str:
    """What a blob of golden samples is called there."""
    return f"{ref.sha256}.golden"


def as_released(config: PipelineConfig, manifest: Manifest, path: str) -> PipelineConfig:
    """How a pipeline is configured with a release's file at `path`.

    The release brings its own preprocessing, if it has any; its labels stand where the
    configuration has none. A plan that is configured is one of the configured model.

    Raises:
        ModelError: its preprocessing is none that this version knows.
    """
    config = replace(config, model=path, mcu=replace(config.mcu, plan=None))
    if manifest.input.preprocessing is not None:
        preprocess = parse(Preprocess, manifest.input.preprocessing)
        if isinstance(preprocess, list):
            raise ModelError(f"its input.preprocessing: {preprocess[0]}")
        config = replace(config, preprocess=preprocess)
    post, labels = config.postprocess, manifest.outputs[0].labels
    if isinstance(post, ClassifyPostprocess) and labels and not post.labels:
        short = tuple(label[:128] for label in labels)
        config = replace(config, postprocess=replace(post, labels=short))
    return config
