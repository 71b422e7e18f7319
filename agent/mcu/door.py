"""The bridge's errors as the agent's, with exit codes."""

from collections.abc import Iterator
from contextlib import contextmanager

from agent.errors import AgentError, LinkError, ModelError, UnavailableError
from agent.runtime.engine_model import status_text
from firmware_bridge.calls.methods import CallStatus
from firmware_bridge.errors import BridgeError, CallError

_TOLD: dict[int, tuple[type[AgentError], str]] = {
    CallStatus.NO_PLAN: (ModelError, "the device does not hold this plan; load it first"),
    CallStatus.NO_ROOM: (
        ModelError,
        "the device has no room for this plan; restart it, or drop one",
    ),
    CallStatus.WRONG_HASH: (ModelError, "the plan arrived damaged; load it again"),
    CallStatus.PLAN_REFUSED: (ModelError, "the device's engine refuses the plan"),
    CallStatus.FAILED: (ModelError, "the model failed on the device"),
    CallStatus.NOT_BUILT_IN: (UnavailableError, "the device's firmware cannot do this"),
}


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the bridge raises into an error of the agent.

    Raises:
        ModelError: the device refuses the model.
        UnavailableError: its firmware lacks what was asked.
        LinkError: anything else.
    """
    try:
        yield
    except CallError as error:
        kind, told = _TOLD.get(error.status, (LinkError, ""))
        detail = f": {status_text(error.detail)}" if error.detail else ""
        raise kind(f"{told}{detail} ({error})" if told else str(error)) from None
    except BridgeError as error:
        raise LinkError(str(error)) from None
