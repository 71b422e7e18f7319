"""The host's end of a link: opens sessions, and opens another when one ends."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from firmware_bridge.errors import RecordError
from firmware_bridge.link.conversation import Conversation
from firmware_bridge.link.counters import Counters
from firmware_bridge.link.deframer import Deframer
from firmware_bridge.link.events import Closed, Event, Opened
from firmware_bridge.link.frame import (
    MAX_PAYLOAD_BYTES,
    MIN_PAYLOAD_BYTES,
    VERSION,
    Frame,
    FrameType,
    Verdict,
    decode,
    encode,
)
from firmware_bridge.link.opening import (
    Hello,
    Reason,
    Welcome,
    session_number,
    unpack_reset,
)

HELLO_MS, HELLO_LATER_MS, EAGER_HELLOS = 200, 1000, 10
SILENCE_MS = 1000
"""A device that lost the session says so when it hears a frame: so it must hear one at times."""


class State(Enum):
    """Where the host stands."""

    OPENING = "opening"
    OPEN = "open"


class Cause(Enum):
    """What moves it."""

    WELCOME = "WELCOME with our nonce"
    RESET = "RESET"
    RETRIES = "five expiries"
    BAD_MESSAGE = "a fragment of no message"


TABLE: dict[tuple[State, Cause], State] = {
    (State.OPENING, Cause.WELCOME): State.OPEN,
    (State.OPEN, Cause.RESET): State.OPENING,
    (State.OPEN, Cause.RETRIES): State.OPENING,
    (State.OPEN, Cause.BAD_MESSAGE): State.OPENING,
}
"""What is not here changes nothing."""


@dataclass(slots=True)
class Host:
    """A link without I/O.

    Feed it with `receive`, call `poll` when no more bytes wait and at `next_ms`, and write
    `take_output` to the port.

    Args:
        nonce: gives a number of 32 bits that was not used before.
        window, payload_bytes: what this side can take.
    """

    nonce: Callable[[], int]
    window: int = 4
    payload_bytes: int = MAX_PAYLOAD_BYTES
    state: State = State.OPENING
    counters: Counters = field(default_factory=Counters)
    refusal: str = ""
    _limit_bytes: int = MAX_PAYLOAD_BYTES
    _hello: Hello | None = None
    _hellos: int = 0
    _hello_ms: int = 0
    _said_ms: int = 0
    _conversation: Conversation | None = None
    _deframer: Deframer = field(default_factory=Deframer)
    _output: bytearray = field(default_factory=bytearray)

    def send(self, method: int, body: bytes) -> bool:
        """Queue a request; False if no session is open."""
        if self._conversation is None:
            return False
        self._conversation.sender.queue(method, body, is_reply=False)
        return True

    @property
    def is_idle(self) -> bool:
        """Whether all that was sent is acknowledged."""
        return self._conversation is None or self._conversation.sender.is_idle

    @property
    def next_ms(self) -> int | None:
        """When `poll` must be called at the latest."""
        if self._conversation is None:
            return self._hello_ms
        expires_ms = self._conversation.sender.expires_ms
        silence_ms = self._said_ms + SILENCE_MS
        return silence_ms if expires_ms is None else min(expires_ms, silence_ms)

    def take_output(self) -> bytes:
        """Bytes to write to the port."""
        taken = bytes(self._output)
        self._output.clear()
        return taken

    def receive(self, data: bytes, now_ms: int) -> list[Event]:
        """Take bytes from the port."""
        events: list[Event] = []
        for stuffed in self._deframer.feed(data):
            number = self._conversation.number if self._conversation else 0
            frame = decode(stuffed, number)
            if isinstance(frame, Verdict):
                self._damaged(frame, now_ms)
            else:
                self.counters.frames_in += 1
                events += self._frame(frame, now_ms)
        return events

    def poll(self, now_ms: int) -> list[Event]:
        """Do what is due."""
        if self._conversation is None:
            self._say_hello(now_ms)
            return []
        if self._conversation.poll(now_ms):
            self._break_silence(self._conversation, now_ms)
            return []
        self._limit_bytes = max(MIN_PAYLOAD_BYTES, self._conversation.payload_bytes // 2)
        return self._close(Cause.RETRIES, Reason.RETRIES, now_ms)

    def _break_silence(self, conversation: Conversation, now_ms: int) -> None:
        if now_ms - self._said_ms >= SILENCE_MS:
            conversation.acknowledge()
        if self._output:
            self._said_ms = now_ms

    def _say_hello(self, now_ms: int) -> None:
        if self._hello is None:
            self._hello = Hello(
                self.nonce(), self.window, min(self.payload_bytes, self._limit_bytes)
            )
            self._hellos, self._hello_ms = 0, now_ms
        if now_ms >= self._hello_ms:
            self._hellos += 1
            wait_ms = HELLO_MS if self._hellos < EAGER_HELLOS else HELLO_LATER_MS
            self._hello_ms = now_ms + wait_ms
            self._output += encode(Frame(FrameType.HELLO, payload=self._hello.pack()), 0)

    def _damaged(self, verdict: Verdict, now_ms: int) -> None:
        self.counters.damaged[verdict] += 1
        if self._conversation is not None:
            self._conversation.damaged(now_ms)

    def _frame(self, frame: Frame, now_ms: int) -> list[Event]:
        try:
            if frame.type is FrameType.WELCOME:
                return self._welcome(Welcome.unpack(frame.payload))
            if frame.type is FrameType.RESET:
                return self._reset(unpack_reset(frame.payload), now_ms)
        except RecordError as error:
            self.refusal = str(error)
            return []
        if self._conversation is None or frame.type is FrameType.HELLO:
            return []
        try:
            fragment = self._conversation.frame(frame, now_ms)
        except RecordError as error:
            self.refusal = str(error)
            return self._close(Cause.BAD_MESSAGE, Reason.BAD_MESSAGE, now_ms)
        return [fragment] if fragment else []

    def _welcome(self, welcome: Welcome) -> list[Event]:
        after = TABLE.get((self.state, Cause.WELCOME))
        if after is None or self._hello is None or welcome.nonce != self._hello.nonce:
            return []
        if welcome.version != VERSION or not self._grants_less(self._hello, welcome):
            self.refusal = f"the device grants version {welcome.version} and more than was asked"
            return []
        self.state, self.refusal = after, ""
        self.counters.sessions += 1
        number = session_number(welcome.nonce, welcome.boot_nonce)
        self._conversation = Conversation(
            number, welcome.window, welcome.payload_bytes, self._output
        )
        return [Opened(welcome)]

    @staticmethod
    def _grants_less(hello: Hello, welcome: Welcome) -> bool:
        return welcome.window <= hello.window and welcome.payload_bytes <= hello.payload_bytes

    def _reset(self, reason: Reason, now_ms: int) -> list[Event]:
        if reason is Reason.VERSION:
            self.refusal = f"the device does not speak version {VERSION} of the protocol"
        return self._close(Cause.RESET, reason, now_ms)

    def _close(self, cause: Cause, reason: Reason, now_ms: int) -> list[Event]:
        after = TABLE.get((self.state, cause))
        if after is None or self._conversation is None:
            return []
        self.state = after
        self.counters.repeated += self._conversation.sender.repeated
        self._conversation = None
        self._hello = None
        self._say_hello(now_ms)
        return [Closed(reason)]
