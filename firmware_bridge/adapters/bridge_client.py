"""A program's side of the bridge: one inference at a time, and it waits no longer than asked."""

import time
from itertools import count
from pathlib import Path
from socket import socket

from firmware_bridge.adapters.unix_socket import connect
from firmware_bridge.bridge.jobs import Verdict
from firmware_bridge.bridge.protocol import (
    Distrust,
    Infer,
    Load,
    Message,
    Messages,
    Report,
    Status,
    Told,
    pack,
)
from firmware_bridge.bridge.variants import Offer, Variants
from firmware_bridge.errors import LinkDownError, RecordError

READ_BYTES = 256 * 1024
DEVICE_PART = 0.9
"""Of the time; the rest is for the bridge to say that the device was late, on a busy machine."""


class BridgeClient:
    """A connection to the bridge at a path, made when it is needed.

    Raises:
        LinkDownError: from any method: nobody answers there in time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: socket | None = None
        self._messages = Messages()
        self._numbers = count(1)

    def infer(self, offer: Offer, inputs: bytes, output_bytes: int, deadline_ms: int) -> Told:
        """Run a model on some device; plans are handed over where the bridge lacks them."""
        end_s = time.monotonic() + deadline_ms / 1000
        told = self._ask(offer.variants, inputs, output_bytes, end_s)
        for _ in offer.plans:
            if not self._hand_over(offer, told, end_s):
                break
            told = self._ask(offer.variants, inputs, output_bytes, end_s)
        return told

    def load(self, offer: Offer, told: Told, deadline_ms: int) -> None:
        """Hand over the plan that an outcome asks for, if it asks for one."""
        self._hand_over(offer, told, time.monotonic() + deadline_ms / 1000)

    def begin(self, variants: Variants, inputs: bytes, output_bytes: int, deadline_ms: int) -> int:
        """Ask to run a model; returns the number under which `take` finds the outcome."""
        return self._request(variants, inputs, output_bytes, time.monotonic() + deadline_ms / 1000)

    def take(self, number: int) -> Told | None:
        """Return an outcome if it is there; it does not wait, and forgets those of others."""
        if self._connection is None:
            raise LinkDownError("the bridge ended")
        for message in self._receive(None):
            if isinstance(message, Told) and message.number == number:
                return message
        return None

    def distrust(self, name: str, timeout_s: float = 1.0) -> None:
        """Say that a device's answer was wrong."""
        self._send(Distrust(name), time.monotonic() + timeout_s)

    def status(self, timeout_s: float = 1.0) -> bytes:
        """Ask how the devices are; returns JSON text."""
        end_s = time.monotonic() + timeout_s
        self._send(Status(), end_s)
        while True:
            for message in self._receive(end_s):
                if isinstance(message, Report):
                    return message.text

    def close(self) -> None:
        """Leave."""
        if self._connection is not None:
            self._connection.close()
        self._connection, self._messages = None, Messages()

    def _hand_over(self, offer: Offer, told: Told, end_s: float) -> bool:
        plan = offer.plans.get(told.outputs) if told.verdict is Verdict.UNKNOWN_PLAN else None
        if plan is not None:
            self._send(Load(plan), end_s)
        return plan is not None

    def _ask(self, variants: Variants, inputs: bytes, output_bytes: int, end_s: float) -> Told:
        number = self._request(variants, inputs, output_bytes, end_s)
        while True:
            for message in self._receive(end_s):
                if isinstance(message, Told) and message.number == number:
                    return message

    def _request(self, variants: Variants, inputs: bytes, output_bytes: int, end_s: float) -> int:
        number = next(self._numbers) % 2**32
        left_ms = max(1, round((end_s - time.monotonic()) * 1000 * DEVICE_PART))
        self._send(Infer(number, variants, left_ms, output_bytes, inputs), end_s)
        return number

    def _send(self, message: Message, end_s: float) -> None:
        try:
            if self._connection is None:
                self._connection = connect(self._path, _left_s(end_s))
            self._connection.settimeout(_left_s(end_s))
            self._connection.sendall(pack(message))
        except OSError as error:
            self.close()
            raise LinkDownError(f"no bridge at {self._path}: {error}") from None

    def _receive(self, end_s: float | None) -> list[Message]:
        """Wait for messages until then; without a time, take what is there."""
        assert self._connection is not None
        try:
            self._connection.settimeout(0 if end_s is None else _left_s(end_s))
            data = self._connection.recv(READ_BYTES)
            if data:
                return self._messages.receive(data)
        except BlockingIOError:
            return []
        except (OSError, RecordError) as error:
            self.close()
            raise LinkDownError(f"the bridge does not answer: {error}") from None
        self.close()
        raise LinkDownError("the bridge ended")


def _left_s(end_s: float) -> float:
    return max(0.001, end_s - time.monotonic())
