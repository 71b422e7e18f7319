"""The device's end of a link, as the firmware's C does it: the model for tests and simulations."""

from dataclasses import dataclass, field

from firmware_bridge.errors import RecordError
from firmware_bridge.link.conversation import Conversation
from firmware_bridge.link.counters import Counters
from firmware_bridge.link.deframer import Deframer
from firmware_bridge.link.events import Closed, Event, Opened
from firmware_bridge.link.frame import (
    MAX_PAYLOAD_BYTES,
    VERSION,
    Frame,
    FrameType,
    Verdict,
    decode,
    encode,
)
from firmware_bridge.link.opening import (
    MAX_WINDOW,
    About,
    Hello,
    Reason,
    Welcome,
    pack_reset,
    session_number,
)

RESET_AGAIN_MS = 100


@dataclass(slots=True)
class Device:
    """A link without I/O; used like `Host`.

    Args:
        boot_nonce: another one after each restart.
        about: what a WELCOME says.
    """

    boot_nonce: int
    about: About = field(default_factory=About)
    window: int = MAX_WINDOW
    payload_bytes: int = MAX_PAYLOAD_BYTES
    counters: Counters = field(default_factory=Counters)
    _hello: Hello | None = None
    _conversation: Conversation | None = None
    _reset_ms: int | None = None
    _deframer: Deframer = field(default_factory=Deframer)
    _output: bytearray = field(default_factory=bytearray)

    def start(self, now_ms: int) -> None:
        """Tell a host that may still hold a session of before the restart."""
        self._say_reset(Reason.RESTARTING, now_ms)

    def send(self, method: int, body: bytes) -> bool:
        """Queue a reply; False if no session is open."""
        if self._conversation is None:
            return False
        self._conversation.sender.queue(method, body, is_reply=True)
        return True

    @property
    def is_open(self) -> bool:
        """Whether a session is open."""
        return self._conversation is not None

    @property
    def next_ms(self) -> int | None:
        """When `poll` must be called at the latest."""
        return self._conversation.sender.expires_ms if self._conversation else None

    def take_output(self) -> bytes:
        """Bytes to write to the port."""
        taken = bytes(self._output)
        self._output.clear()
        return taken

    def receive(self, data: bytes, now_ms: int) -> list[Event]:
        """Take bytes from the port."""
        events: list[Event] = []
        for stuffed in self._deframer.feed(data):
            frame = decode(stuffed, self._conversation.number if self._conversation else 0)
            if isinstance(frame, Verdict):
                self.counters.damaged[frame] += 1
                self._senseless(now_ms)
            else:
                self.counters.frames_in += 1
                events += self._frame(frame, now_ms)
        return events

    def poll(self, now_ms: int) -> list[Event]:
        """Do what is due."""
        if self._conversation is None or self._conversation.poll(now_ms):
            return []
        return self._close(Reason.RETRIES, now_ms)

    def _senseless(self, now_ms: int) -> None:
        if self._conversation is not None:
            self._conversation.damaged(now_ms)
        elif self._reset_ms is None or now_ms - self._reset_ms >= RESET_AGAIN_MS:
            self._say_reset(Reason.NO_SESSION, now_ms)

    def _frame(self, frame: Frame, now_ms: int) -> list[Event]:
        if frame.type is FrameType.HELLO:
            return self._welcome(frame.payload, now_ms)
        if frame.type in (FrameType.WELCOME, FrameType.RESET):
            return []
        if self._conversation is None:
            self._senseless(now_ms)
            return []
        try:
            fragment = self._conversation.frame(frame, now_ms)
        except RecordError:
            return self._close(Reason.BAD_MESSAGE, now_ms)
        return [fragment] if fragment else []

    def _welcome(self, payload: bytes, now_ms: int) -> list[Event]:
        try:
            hello = Hello.unpack(payload)
        except RecordError:
            return []
        if not hello.lowest <= VERSION <= hello.highest:
            self._say_reset(Reason.VERSION, now_ms)
            return []
        window = min(hello.window, self.window)
        limit = min(hello.payload_bytes, self.payload_bytes)
        welcome = Welcome(hello.nonce, self.boot_nonce, window, limit, self.about)
        self._output += encode(Frame(FrameType.WELCOME, payload=welcome.pack()), 0)
        if self._conversation is not None and self._hello == hello:
            return []  # said again: the first WELCOME may be lost
        self._hello = hello
        self.counters.sessions += 1
        number = session_number(hello.nonce, self.boot_nonce)
        self._conversation = Conversation(number, window, limit, self._output)
        return [Opened(hello)]

    def _close(self, reason: Reason, now_ms: int) -> list[Event]:
        self._conversation = None
        self._say_reset(reason, now_ms)
        return [Closed(reason)]

    def _say_reset(self, reason: Reason, now_ms: int) -> None:
        self._reset_ms = now_ms
        payload = pack_reset(reason, self.boot_nonce)
        self._output += encode(Frame(FrameType.RESET, payload=payload), 0)
