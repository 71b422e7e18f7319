"""What comes of a job: how its model is to be shipped, and the word on what was."""

from dataclasses import dataclass
from typing import Annotated, Literal

from broker.contract.blobs import BlobRef
from broker.contract.bundle.manifest import Judged
from broker.contract.fields import Count, Line, Name, Tree
from broker.contract.shape import Doc, Range


@dataclass(frozen=True)
class OutcomeSpec:
    """How the trained parameters become an int8 model that devices run."""

    network: Annotated[
        Tree, Doc("the layers that were trained: [a network](train-abi.md#networks)")
    ]
    task: Literal["classify", "regress", "features", "anomaly"] = "classify"
    input_kind: Literal["image", "audio", "vector"] = "vector"
    input_scale: Annotated[
        float, Range(0, 1e9), Doc("of the model's int8 input; 0: what the calibration calls for")
    ] = 0.0
    input_zero_point: Annotated[int, Range(-128, 127)] = -128
    preprocessing: Annotated[Tree | None, Doc("goes into the manifest as it is")] = None
    calibration: Annotated[
        BlobRef | None,
        Doc(
            "inputs as `.npy`, which only the aggregator gets; none: noise in the input's range, "
            "which costs accuracy"
        ),
    ] = None
    golden: Annotated[int, Range(1, 64), Doc("samples of the calibration to ship as tests")] = 8
    min_agreement: Annotated[
        float,
        Range(0, 1),
        Doc(
            "share of the calibration whose largest output quantization may not change, or no ship"
        ),
    ] = 0.9


@dataclass(frozen=True)
class JobOutcome:
    """What came of a job; devices that took part run what was shipped."""

    job: Name
    release: Annotated[Count, Doc("grows with every outcome of this job's name")]
    shipped: Annotated[bool, Doc("false: devices keep what they have")]
    manifest: Annotated[BlobRef | None, Doc("[of the model](manifest.md); none: not shipped")] = (
        None
    )
    reason: Annotated[Line | None, Doc("why it was not shipped")] = None
    judged: Annotated[Judged | None, Doc("by devices, after the last round")] = None
    epsilon: Annotated[float | None, Range(0, 1e9), Doc("privacy spent")] = None
    delta: Annotated[float | None, Range(0, 1)] = None
