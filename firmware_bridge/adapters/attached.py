"""One device on one port, for commands that may wait: connect, ask, upload."""

import secrets
import time
from collections.abc import Callable
from types import TracebackType

from firmware_bridge.adapters.serial_port import SerialPort
from firmware_bridge.calls.client import Client, ClientEvent, Expired, Replied
from firmware_bridge.calls.methods import CallStatus, Method, Sizes
from firmware_bridge.calls.upload import Phase, Upload
from firmware_bridge.errors import CallError, LinkDownError
from firmware_bridge.link.host import Host
from firmware_bridge.link.opening import Welcome

CONNECT_S = 5.0
CALL_S = 30.0
LONGEST_WAIT_S = 0.25


class Attached:
    """A device behind a port.

    Raises:
        PortError: from any method: the port fails.
        LinkDownError: nobody answers.
    """

    def __init__(self, port: SerialPort) -> None:
        self._port = port
        host = Host(lambda: secrets.randbits(32))
        self.client = Client(host, secrets.randbits(32))

    def __enter__(self) -> "Attached":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._port.close()

    def connect(self, timeout_s: float = CONNECT_S) -> Welcome:
        """Wait until a session is open; returns what the device says of itself."""
        self._until(lambda: self.client.welcome is not None, timeout_s)
        if self.client.welcome is None:
            told = self.client.host.refusal or "no device answers; is it powered, is this its port?"
            raise LinkDownError(f"port {self._port.url}: {told}")
        return self.client.welcome

    def call(self, method: Method, body: bytes = b"", timeout_s: float = CALL_S) -> bytes:
        """Ask, and wait for the reply's body.

        Raises:
            CallError: the device refused.
        """
        number = self.client.call(method, body, _now_ms(), int(timeout_s * 1000))
        answers: list[ClientEvent] = []

        def handle(event: ClientEvent) -> None:
            if isinstance(event, Replied | Expired) and event.number == number:
                answers.append(event)

        self._until(lambda: bool(answers), timeout_s + 1, handle)
        answer = answers[0] if answers else Expired(number)
        if isinstance(answer, Replied):
            if answer.status is not CallStatus.OK:
                detail = f" (engine status {answer.body[0]})" if answer.body else ""
                text = f"port {self._port.url}: {answer.status.name} to {method.name}{detail}"
                raise CallError(text, answer.status, answer.body[0] if answer.body else 0)
            return answer.body
        raise LinkDownError(f"port {self._port.url}: no answer to {method.name} in {timeout_s:g} s")

    def upload(
        self, plan: bytes, sha256: bytes, progress: Callable[[int], None] = lambda stored: None
    ) -> Sizes:
        """Bring a plan there, unless it is there.

        Args:
            progress: is told how many bytes the device has.

        Raises:
            CallError: the device refused.
        """
        upload = Upload(self.client, plan, sha256)
        upload.start(_now_ms())

        def handle(event: ClientEvent) -> None:
            if isinstance(event, Replied | Expired) and upload.handle(event, _now_ms()):
                progress(upload.stored)

        self._until(lambda: upload.phase in (Phase.DONE, Phase.FAILED), 600.0, handle)
        if upload.sizes is None:
            told = upload.refusal or "the upload did not end in 10 minutes"
            raise CallError(f"port {self._port.url}: {told}", upload.status, upload.detail)
        return upload.sizes

    def _until(
        self,
        is_done: Callable[[], bool],
        timeout_s: float,
        handle: Callable[[ClientEvent], None] = lambda event: None,
    ) -> None:
        end_ms = _now_ms() + int(timeout_s * 1000)
        while not is_done() and _now_ms() < end_ms:
            for event in self.client.receive(self._port.read(), _now_ms()):
                handle(event)
            for event in self.client.poll(_now_ms()):
                handle(event)
            self._port.write(self.client.take_output())
            if not is_done():
                next_ms = min(self.client.next_ms or end_ms, end_ms)
                self._port.wait(min(LONGEST_WAIT_S, (next_ms - _now_ms()) / 1000))


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
