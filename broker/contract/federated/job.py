"""What a federated job trains, how, and on what terms: one retained document.

A device that met a key it does not know would train on other terms than were asked for, for
instance without a noise that it has never heard of. So `read_job` refuses unknown keys, unlike
every other message.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from broker.contract.blobs import BlobRef
from broker.contract.codec import decode_json
from broker.contract.federated.codecs.spec import CodecSpec, most_bytes
from broker.contract.federated.errors import JobError
from broker.contract.federated.outcome import OutcomeSpec
from broker.contract.federated.slices import MAX_SLICES, Cut
from broker.contract.federated.update import MAX_DATA_BYTES, MAX_EXAMPLES
from broker.contract.fields import Line, Name
from broker.contract.shape import Doc, Length, Range, parse

MAX_JOB_BYTES = 64_000
MAX_PARAMETERS = 2**25
MAX_DEVIATION = 2.0**20
"""Of noise. Beyond some 2^28 it is no int64 on the grid of the sums: all of it is one number."""


Share = Annotated[float, Range(0, 1)]
Options = Annotated[dict[Name, float], Length(16)]


@dataclass(frozen=True)
class ModelSpec:
    """The network that is trained."""

    name: Name
    parameters: Annotated[int, Range(1, MAX_PARAMETERS), Doc("trainable ones")]
    initial: Annotated[BlobRef, Doc("first global parameters: little-endian float32")]
    trainers: Annotated[
        dict[Name, BlobRef], Length(8, 1), Doc("trainer modules by target: `simd`, `scalar`")
    ]
    example_floats: Annotated[int, Range(1, 2**24), Doc("numbers in one example")]
    label_kind: Annotated[
        int, Range(0, 2**16), Doc("0: the index of a class; n: n numbers to predict")
    ] = 0
    labels: Annotated[tuple[Line, ...], Length(4096), Doc("names of the classes")] = ()
    backbone: Annotated[
        BlobRef | None,
        Doc("a .tflite or .wasm whose first output, as reals, is the example; none: the raw input"),
    ] = None


@dataclass(frozen=True)
class LocalSpec:
    """How a device trains."""

    epochs: Annotated[int, Range(1, 1000)] = 1
    batch: Annotated[int, Range(1, 65_536)] = 16
    learning_rate: Annotated[float, Range(above=0, maximum=1000)] = 0.05
    momentum: Annotated[float, Range(0, 1)] = 0.0
    weight_decay: Annotated[float, Range(0, 1)] = 0.0
    prox_mu: Annotated[float, Range(0, 1000), Doc("pull to the global parameters (FedProx)")] = 0.0
    example_clip_norm: Annotated[
        float, Range(0, 1e6), Doc("bound of each example's gradient; 0: none")
    ] = 0.0
    max_steps: Annotated[int, Range(1, 10**7), Doc("batches, whatever the epochs")] = 10_000


@dataclass(frozen=True)
class StrategySpec:
    """How the aggregator makes a new model from the updates."""

    name: Name = "fedavg"
    options: Options = field(default_factory=dict)


@dataclass(frozen=True)
class ParticipationSpec:
    """Who takes part, and how many it takes."""

    fraction: Annotated[float, Range(above=0, maximum=1), Doc("of the eligible devices")] = 1.0
    over_selection: Annotated[float, Range(1, 100), Doc("for those that drop out")] = 1.0
    goal: Annotated[int, Range(1, 10**6), Doc("updates that close a round at once")] = 1
    quorum: Annotated[int, Range(1, 10**6), Doc("updates that suffice at the deadline")] = 1
    min_examples: Annotated[int, Range(1, MAX_EXAMPLES), Doc("for a device to be eligible")] = 1
    max_examples: Annotated[int, Range(1, MAX_EXAMPLES), Doc("more weigh no more")] = 10_000
    retries: Annotated[int, Range(0, 1000), Doc("openings of a round that lacks its quorum")] = 3


@dataclass(frozen=True)
class PrivacySpec:
    """What protects a device's data beyond not sending it."""

    mode: Literal["none", "local", "central"] = "none"
    clip_norm: Annotated[
        float | None, Range(above=0, maximum=1e6), Doc("bound of an update's L2 norm")
    ] = None
    noise_multiplier: Annotated[
        float, Range(0, 1e6), Doc("times clip_norm, the noise's standard deviation: at most 2^20")
    ] = 0.0
    delta: Annotated[float, Range(above=0, maximum=1)] = 1e-5
    max_epsilon: Annotated[
        float | None, Range(above=0, maximum=1e6), Doc("the job ends before it is passed")
    ] = None


@dataclass(frozen=True)
class RobustSpec:
    """What protects the model from devices that lie."""

    rule: Literal["none", "median", "trimmed_mean", "krum"] = "none"
    options: Options = field(default_factory=dict)


@dataclass(frozen=True)
class EvaluationSpec:
    """How the model is judged, in every round and, beside the first model, after the last."""

    holdout: Annotated[float, Range(0, 0.9), Doc("share of a device's examples")] = 0.0
    gate_loss: Annotated[
        float | None, Range(0, 1e9), Doc("a model with a greater held-out loss is not shipped")
    ] = None
    gate_baseline: Annotated[
        bool, Doc("a model with a greater held-out loss than the first one is not shipped")
    ] = False
    quorum: Annotated[int, Range(1, 10**6), Doc("devices whose answers a gate asks for")] = 1
    goal: Annotated[
        int, Range(0, 10**6), Doc("answers that end it; 0: as many as the last round had updates")
    ] = 0
    deadline_s: Annotated[float, Range(1, 30 * 86_400), Doc("after the last round")] = 120.0


@dataclass(frozen=True)
class JobSpec:
    """What a federated job trains, how, and on what terms."""

    id: Name
    model: ModelSpec
    rounds: Annotated[int, Range(1, 10**6)] = 10
    local: LocalSpec = field(default_factory=LocalSpec)
    strategy: StrategySpec = field(default_factory=StrategySpec)
    codec: CodecSpec = field(default_factory=CodecSpec)
    participation: ParticipationSpec = field(default_factory=ParticipationSpec)
    deadline_s: Annotated[float, Range(1, 30 * 86_400), Doc("of a round")] = 600.0
    privacy: PrivacySpec = field(default_factory=PrivacySpec)
    robust: RobustSpec = field(default_factory=RobustSpec)
    evaluation: EvaluationSpec = field(default_factory=EvaluationSpec)
    outcome: Annotated[OutcomeSpec | None, Doc("none: nothing is shipped")] = None
    slice_parameters: Annotated[int, Range(1, 2**16)] = 8192
    shards: Annotated[int, Range(1, 64), Doc("slice n travels in shard n mod this")] = 1

    @property
    def vectors(self) -> int:
        """Vectors in an update: SCAFFOLD sends a control variate as well."""
        return 2 if self.strategy.name == "scaffold" else 1

    @property
    def judges(self) -> bool:
        """Whether devices judge the final model; noise does not cover what they would say."""
        return self.evaluation.holdout > 0 and self.privacy.mode != "local"

    @property
    def cut(self) -> Cut:
        """How an update of this job is cut."""
        return Cut(self.model.parameters, self.slice_parameters, self.vectors)


def read_job(payload: bytes) -> JobSpec:
    """Read a job from outside.

    Raises:
        MessageError: not JSON of this shape, or with a key that is not known.
        JobError: it contradicts itself.
    """
    spec = parse(JobSpec, decode_json(payload, limit=MAX_JOB_BYTES))
    if isinstance(spec, list):
        raise JobError(f"JobSpec refused: {spec[0]}")
    check_job(spec)
    return spec


def check_job(spec: JobSpec) -> None:
    """Check what no single key can say.

    Raises:
        JobError: the first contradiction.
    """
    model, wanted, privacy = spec.model, spec.participation, spec.privacy
    if model.initial.bytes != 4 * model.parameters:
        raise JobError(f"model.initial.bytes: must be {4 * model.parameters}, 4 a parameter")
    if model.label_kind and model.labels:
        raise JobError("model.labels: only classes have names; set label_kind to 0")
    if wanted.quorum > wanted.goal:
        raise JobError("participation.quorum: must not exceed the goal")
    if privacy.mode != "none" and privacy.clip_norm is None:
        raise JobError(f"privacy.clip_norm: is missing, {privacy.mode} noise is scaled by it")
    if privacy.mode != "none" and not privacy.noise_multiplier:
        raise JobError(f"privacy.noise_multiplier: must be above 0 for {privacy.mode} privacy")
    if privacy.noise_multiplier * (privacy.clip_norm or 0.0) > MAX_DEVIATION:
        raise JobError(
            f"privacy.noise_multiplier: times clip_norm, it must be at most {MAX_DEVIATION:g}"
        )
    gates = spec.evaluation.gate_loss is not None or spec.evaluation.gate_baseline
    if gates and not spec.judges:
        raise JobError("evaluation: a gate needs a holdout above 0, and privacy that is not local")
    if spec.cut.count > MAX_SLICES:
        raise JobError(f"slice_parameters: {spec.cut.count} slices exceed {MAX_SLICES}; cut longer")
    longest = most_bytes(spec.codec, spec.cut.length(0), model.parameters)
    if longest > MAX_DATA_BYTES:
        raise JobError(
            f"slice_parameters: a slice of {spec.codec.name} may take {longest} bytes, "
            f"{MAX_DATA_BYTES} fit; cut shorter"
        )
