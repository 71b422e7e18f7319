"""The states of an accelerator, and what leads from one to another."""

from enum import Enum


class State(Enum):
    """Where a device stands."""

    CONNECTING = "connecting"
    PROBING = "probing"
    READY = "ready"
    UPLOADING = "uploading"
    RUNNING = "running"
    QUARANTINED = "quarantined"


class Cause(Enum):
    """What moves it."""

    UP = "session open"
    DOWN = "session over, or port gone"
    ALIVE = "STAT answered"
    UPLOAD = "a plan is wanted"
    JOB = "a job waits"
    DONE = "done"
    FAILED = "late, refused or nonsense"
    DUE = "quarantine over"


S, C = State, Cause
TABLE: dict[tuple[State, Cause], State] = {
    (S.CONNECTING, C.UP): S.PROBING,
    (S.CONNECTING, C.FAILED): S.CONNECTING,
    (S.PROBING, C.ALIVE): S.READY,
    (S.PROBING, C.FAILED): S.QUARANTINED,
    (S.PROBING, C.DOWN): S.CONNECTING,
    (S.READY, C.UPLOAD): S.UPLOADING,
    (S.READY, C.JOB): S.RUNNING,
    (S.READY, C.FAILED): S.QUARANTINED,
    (S.READY, C.DOWN): S.CONNECTING,
    (S.UPLOADING, C.DONE): S.READY,
    (S.UPLOADING, C.FAILED): S.QUARANTINED,
    (S.UPLOADING, C.DOWN): S.CONNECTING,
    (S.RUNNING, C.DONE): S.READY,
    (S.RUNNING, C.FAILED): S.QUARANTINED,
    (S.RUNNING, C.DOWN): S.CONNECTING,
    (S.QUARANTINED, C.DUE): S.PROBING,
    (S.QUARANTINED, C.FAILED): S.QUARANTINED,
    (S.QUARANTINED, C.DOWN): S.CONNECTING,
}
"""What is not here changes nothing. A session that opens during a quarantine does not end it."""

HEALTHY = (S.READY, S.UPLOADING, S.RUNNING)


def diagram() -> str:
    """Draw the table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2", f"    [*] --> {S.CONNECTING.value}"]
    lines += [
        f"    {before.value} --> {after.value}: {cause.value}"
        for (before, cause), after in TABLE.items()
    ]
    return "\n".join(lines) + "\n"
