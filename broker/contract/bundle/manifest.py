"""The manifest of a released model: what it takes, what it gives, its files, its golden samples.

A manifest is a JSON document and travels as a blob, so its SHA-256 names a release whole: every
file in it is named by content in turn. Whoever signs a release signs that digest.
"""

from dataclasses import dataclass
from math import prod
from typing import Annotated, Literal

from broker.contract.blobs import BlobRef
from broker.contract.codec import decode_json, encode_json
from broker.contract.errors import MessageError
from broker.contract.fields import Count, Line, Name, Tree
from broker.contract.shape import Doc, Length, Range, parse, to_tree

MAX_MANIFEST_BYTES = 64_000
MAX_ELEMENTS = 2**24
FORMAT = 1
ITEM_BYTES = {"int8": 1, "uint8": 1, "int16": 2, "float32": 4}

ElementType = Literal["int8", "uint8", "int16", "float32"]
Shape = Annotated[tuple[Annotated[int, Range(1, MAX_ELEMENTS)], ...], Length(6, minimum=1)]
Share = Annotated[float, Range(0, 1)]
Loss = Annotated[float, Range(0, 1e9)]
Runtime = Literal["tflite", "wasm-simd", "wasm-scalar", "plan"]


@dataclass(frozen=True)
class TensorSpec:
    """A tensor by its shape, and what its elements stand for: scale × (element - zero point)."""

    shape: Annotated[Shape, Doc("with the batch, which is 1")]
    dtype: ElementType
    scale: Annotated[float, Range(0, 1e9), Doc("0: elements are plain numbers")] = 0.0
    zero_point: Annotated[int, Range(-(2**15), 2**15)] = 0

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Length of the tensor in memory."""
        return self.elements * ITEM_BYTES[self.dtype]


@dataclass(frozen=True)
class InputSpec:
    """What the model takes."""

    kind: Literal["image", "audio", "vector"]
    tensor: TensorSpec
    preprocessing: Annotated[
        Tree | None, Doc("from what a source gives to the tensor; none: as the pipeline has it")
    ] = None


@dataclass(frozen=True)
class OutputSpec:
    """One output of the model."""

    tensor: TensorSpec
    labels: Annotated[tuple[Line, ...], Length(4096), Doc("names of the classes")] = ()


@dataclass(frozen=True)
class Artifact:
    """The model as one runtime takes it."""

    runtime: Runtime
    blob: BlobRef
    arena_bytes: Annotated[Count, Doc("memory for activations; 0: the runtime's own business")] = 0


@dataclass(frozen=True)
class Golden:
    """Inputs, and what the model makes of them: run on a device before the model may serve.

    The blobs hold the samples one after another, elements little-endian: of `inputs` one tensor
    each, of `outputs` all outputs of a sample in their order.
    """

    count: Annotated[int, Range(1, 1024)]
    inputs: BlobRef
    outputs: BlobRef
    tolerance: Annotated[
        int, Range(0, 255), Doc("greatest difference of an element, in quanta of integer outputs")
    ] = 0


@dataclass(frozen=True)
class PrivacySpent:
    """What training has told about any one device, at most."""

    epsilon: Annotated[float, Range(0, 1e9)]
    delta: Annotated[float, Range(0, 1)]
    mechanism: Line


@dataclass(frozen=True)
class Judged:
    """What devices found on the examples that they held out, weighted by how many those are."""

    devices: Count
    examples: Count
    loss: Loss
    baseline_loss: Annotated[Loss | None, Doc("of the model that training began with")] = None
    accuracy: Share | None = None
    baseline_accuracy: Share | None = None


@dataclass(frozen=True)
class TrainingRecord:
    """Where the model comes from."""

    job: Name
    rounds: Annotated[Count, Doc("that made a model")]
    updates: Annotated[Count, Doc("counted in all rounds together")]
    model: Annotated[BlobRef, Doc("the trained parameters before quantization, float32")]
    judged: Judged | None = None
    agreement: Annotated[
        Share | None, Doc("calibration inputs whose largest output quantization did not change")
    ] = None


@dataclass(frozen=True)
class Manifest:
    """A released model."""

    name: Name
    release: Annotated[int, Range(1, 2**53 - 1), Doc("grows with every release of this name")]
    task: Literal["classify", "detect", "anomaly", "regress", "features"]
    input: InputSpec
    outputs: Annotated[tuple[OutputSpec, ...], Length(16, minimum=1)]
    artifacts: Annotated[tuple[Artifact, ...], Length(8, minimum=1)]
    golden: Golden
    privacy: PrivacySpent | None = None
    training: TrainingRecord | None = None
    format: Annotated[int, Doc("a device refuses another one")] = FORMAT

    def artifact(self, runtime: str) -> Artifact | None:
        """The file for a runtime, if there is one."""
        return next((one for one in self.artifacts if one.runtime == runtime), None)


def write_manifest(manifest: Manifest) -> bytes:
    """The document; equal manifests give equal bytes.

    Raises:
        MessageError: it contradicts itself, or is too long.
    """
    check_manifest(manifest)
    data = encode_json(to_tree(manifest))
    if len(data) > MAX_MANIFEST_BYTES:
        raise MessageError(f"manifest: {len(data)} bytes exceed {MAX_MANIFEST_BYTES}")
    return data


def read_manifest(data: bytes) -> Manifest:
    """Read a manifest from outside; keys that are not known are ignored.

    Raises:
        MessageError: not JSON of this shape, another format, or it contradicts itself.
    """
    tree = decode_json(data, limit=MAX_MANIFEST_BYTES)
    number = tree.get("format", FORMAT) if isinstance(tree, dict) else FORMAT
    if number != FORMAT:
        raise MessageError(f"manifest: its format is not {FORMAT}; a newer release reads it")
    manifest = parse(Manifest, tree, unknown="ignore")
    if isinstance(manifest, list):
        raise MessageError(f"manifest refused: {manifest[0]}")
    check_manifest(manifest)
    return manifest


def check_manifest(manifest: Manifest) -> None:
    """Check what no single key can say.

    Raises:
        MessageError: the first contradiction.
    """
    tensors = [manifest.input.tensor, *(one.tensor for one in manifest.outputs)]
    for tensor in tensors:
        if tensor.elements > MAX_ELEMENTS:
            raise MessageError(f"manifest: a tensor of {tensor.elements} elements is too large")
        if tensor.dtype == "float32" and tensor.scale:
            raise MessageError("manifest: float32 tensors have no scale; set it to 0")
    runtimes = [one.runtime for one in manifest.artifacts]
    if len(set(runtimes)) < len(runtimes):
        raise MessageError("manifest: a runtime has two artifacts")
    golden = manifest.golden
    for where, ref, held in (
        ("inputs", golden.inputs, tensors[:1]),
        ("outputs", golden.outputs, tensors[1:]),
    ):
        wanted = golden.count * sum(tensor.size_bytes for tensor in held)
        if ref.bytes != wanted:
            raise MessageError(
                f"manifest: golden.{where} must have {wanted} bytes, not {ref.bytes}"
            )
    for output in manifest.outputs:
        if len(output.labels) not in (0, output.tensor.shape[-1]):
            raise MessageError(f"manifest: {len(output.labels)} labels do not fit an output")
