"""The bridge's socket as `Devices`."""

from pathlib import Path

from firmware_bridge.adapters.bridge_client import BridgeClient
from firmware_bridge.bridge.protocol import Told
from firmware_bridge.bridge.variants import Offer

LOAD_MS = 200


class BridgeDevices:
    """The devices behind a bridge for one model; see `Devices`."""

    def __init__(self, path: Path, offer: Offer, output_bytes: int) -> None:
        self._client = BridgeClient(path)
        self._offer = offer
        self._output_bytes = output_bytes

    def infer(self, inputs: bytes, deadline_ms: int) -> Told:
        """Ask, and wait for the outcome."""
        return self._client.infer(self._offer, inputs, self._output_bytes, deadline_ms)

    def begin(self, inputs: bytes, deadline_ms: int) -> int:
        """Ask; returns the number of what was asked."""
        variants = self._offer.variants
        return self._client.begin(variants, inputs, self._output_bytes, deadline_ms)

    def take(self, number: int) -> Told | None:
        """Return the outcome of what was asked, if it is there."""
        told = self._client.take(number)
        if told is not None:
            self._client.load(self._offer, told, LOAD_MS)
        return told

    def distrust(self, name: str) -> None:
        """Say that a device's answer was wrong."""
        self._client.distrust(name)
