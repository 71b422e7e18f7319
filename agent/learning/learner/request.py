"""What the learner is asked, and what it answers; without numpy, for the main process asks."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from agent.config.sources import PathText
from broker.contract.federated.job import JobSpec
from broker.contract.federated.round import Evaluation, Round
from broker.contract.fields import Count, Name
from broker.contract.shape import Length, Range

Losses = Annotated[tuple[float, ...], Length(2, minimum=2)]


@dataclass(frozen=True)
class Request:
    """One round of one job, or with a `baseline` the judgement of its final model.

    Every path but `output` is only read.

    Attributes:
        samples: the device's store.
        model: the round's global parameters; `control` SCAFFOLD's c, little-endian float32.
        residual: what earlier updates left behind; None before the first.
        own_control: SCAFFOLD's c_i; None before the first.
        backbone: a model whose output are the features to learn from.
        output: an empty folder, for the slices, the new residual and control, and the report; a
            judgement leaves nothing there.
        baseline: parameters to judge beside `model`, instead of training.
        cache: of machine code.
    """

    spec: JobSpec
    round: Round
    device: Name
    pipeline: Name
    samples: PathText
    model: PathText
    trainer: PathText
    runtime: Literal["wasmtime", "wasm3"] = "wasmtime"
    control: PathText | None = None
    residual: PathText | None = None
    own_control: PathText | None = None
    backbone: PathText | None = None
    output: PathText | None = None
    baseline: PathText | None = None
    cache: PathText | None = None
    deadline_s: Annotated[float, Range(1, 30 * 86_400)] = 3600.0


@dataclass(frozen=True)
class Report:
    """What lies in the output folder; it is written last, so a folder with it is whole.

    Attributes:
        slices: files `0` to `slices - 1`, each a message as it is sent.
        examples: as the slices say; under privacy 1, for their number is data too.
        skipped: samples of the pipeline that do not fit the job; like `steps`, for this device.
        losses: of the examples before and after; None under privacy.
        evaluation: of the round's model on examples held out; None where none are, or may tell.
    """

    job: Name
    round: Count
    slices: Count
    examples: Count
    steps: Count
    skipped: Count = 0
    has_residual: bool = False
    has_own_control: bool = False
    losses: Losses | None = None
    evaluation: Evaluation | None = field(default=None)


REPORT = "report.json"
RESIDUAL = "residual.f32"
OWN_CONTROL = "own_control.f32"
