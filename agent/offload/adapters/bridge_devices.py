"""The bridge's socket as `Devices`."""

from pathlib import Path

from firmware_bridge.adapters.bridge_client import BridgeClient
from firmware_bridge.bridge.jobs import Verdict
from firmware_bridge.bridge.protocol import Told

LOAD_MS = 200


class BridgeDevices:
    """The devices behind a bridge for one plan; see `Devices`."""

    def __init__(self, path: Path, plan: bytes, sha256: bytes, output_bytes: int) -> None:
        self._client = BridgeClient(path)
        self._plan = plan
        self._sha256 = sha256
        self._output_bytes = output_bytes

    def infer(self, inputs: bytes, deadline_ms: int) -> Told:
        """Ask, and wait for the outcome."""
        asked = (self._plan, self._sha256, inputs, self._output_bytes, deadline_ms)
        return self._client.infer(*asked)

    def begin(self, inputs: bytes, deadline_ms: int) -> int:
        """Ask; returns the number of what was asked."""
        return self._client.begin(self._sha256, inputs, self._output_bytes, deadline_ms)

    def take(self, number: int) -> Told | None:
        """Return the outcome of what was asked, if it is there."""
        told = self._client.take(number)
        if told is not None and told.verdict is Verdict.UNKNOWN_PLAN:
            self._client.load(self._plan, LOAD_MS)
        return told

    def distrust(self, name: str) -> None:
        """Say that a device's answer was wrong."""
        self._client.distrust(name)
