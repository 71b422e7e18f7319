"""What a program asks of the bridge, and what becomes of it."""

from dataclasses import dataclass
from enum import IntEnum

from firmware_bridge.bridge.variants import Variants


class Verdict(IntEnum):
    """How a job ended; all but `OK` mean: compute it yourself."""

    OK = 0
    UNKNOWN_PLAN = 1
    """The bridge was not given the plan for a device's kernels since its start."""
    NO_DEVICE = 2
    """None is healthy."""
    UNREADY = 3
    """A healthy device has not got the plan yet; it is being brought there."""
    BUSY = 4
    """More waits than can be done in time."""
    LATE = 5
    LOST = 6
    """The device was lost, or another error came, while it worked on this."""
    REFUSED = 7
    """No device here can run this plan or take this input."""


@dataclass(frozen=True, slots=True)
class Job:
    """One inference.

    Attributes:
        token: of whoever asks; it comes back.
        variants: the plans of the model; the device takes that for its kernels.
        output_bytes: of all outputs; an answer of another length is none.
        expires_ms: when the answer is of no use any more.
    """

    token: tuple[int, int]
    variants: Variants
    inputs: bytes
    output_bytes: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a job; each has exactly one.

    Attributes:
        where: the device's name.
        epoch: another after each start of the device.
        ticks: of the board's clock.
        outputs: of the model; with UNKNOWN_PLAN the sha256 of the plan that is lacking.
    """

    token: tuple[int, int]
    verdict: Verdict
    where: str = ""
    epoch: int = 0
    ticks: int = 0
    outputs: bytes = b""
