"""Calls to one device: numbered, repeated in the next session, each answered once or expired."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from firmware_bridge.calls.methods import AT_MOST_ONCE, CallStatus, Method
from firmware_bridge.link.conversation import Fragment
from firmware_bridge.link.events import Closed, Event, Opened
from firmware_bridge.link.host import Host
from firmware_bridge.link.opening import Reason, Welcome

MAX_REPLY_BYTES = 1 << 20
MAX_OPEN = 6
"""Requests in flight; a device keeps replies for eight."""
_HEAD_BYTES = 8


@dataclass(frozen=True, slots=True)
class Replied:
    """A device answered a call."""

    number: int
    status: CallStatus
    body: bytes


@dataclass(frozen=True, slots=True)
class Expired:
    """No answer came in time; it may have been done or not."""

    number: int


@dataclass(frozen=True, slots=True)
class Up:
    """A session is open."""

    welcome: Welcome
    has_restarted: bool


@dataclass(frozen=True, slots=True)
class Down:
    """The session ended; open calls are kept for the next one."""

    reason: Reason


ClientEvent = Replied | Expired | Up | Down


@dataclass(slots=True)
class _Call:
    number: int
    method: Method
    body: bytes
    expires_ms: int
    is_sent: bool = False


@dataclass(slots=True)
class Client:
    """The host's side of calls, without I/O; used like `Host`, which it owns.

    Args:
        number: where call numbers start; another for each start of the host.
    """

    host: Host
    number: int
    welcome: Welcome | None = None
    _calls: dict[int, _Call] = field(default_factory=dict)
    _reply: bytearray = field(default_factory=bytearray)
    _boot_nonce: int | None = None

    def call(self, method: Method, body: bytes, now_ms: int, deadline_ms: int) -> int:
        """Ask; the answer is an event with the number that is returned."""
        self.number = (self.number + 1) % 2**32
        self._calls[self.number] = _Call(self.number, method, body, now_ms + deadline_ms)
        return self.number

    def forget(self, number: int) -> None:
        """Drop a call: no event comes for it any more."""
        self._calls.pop(number, None)

    @property
    def open_calls(self) -> int:
        """How many calls have no answer yet."""
        return len(self._calls)

    @property
    def next_ms(self) -> int | None:
        """When `poll` must be called at the latest."""
        times = [call.expires_ms for call in self._calls.values()]
        if self.host.next_ms is not None:
            times.append(self.host.next_ms)
        return min(times, default=None)

    def take_output(self) -> bytes:
        """Bytes to write to the port."""
        return self.host.take_output()

    def receive(self, data: bytes, now_ms: int) -> list[ClientEvent]:
        """Take bytes from the port."""
        return list(self._translate(self.host.receive(data, now_ms), now_ms))

    def poll(self, now_ms: int) -> list[ClientEvent]:
        """Do what is due."""
        events: list[ClientEvent] = [*self._expire(now_ms)]
        self._send()
        events += self._translate(self.host.poll(now_ms), now_ms)
        return events

    def _expire(self, now_ms: int) -> Iterator[Expired]:
        for call in [one for one in self._calls.values() if now_ms >= one.expires_ms]:
            del self._calls[call.number]
            yield Expired(call.number)

    def _send(self) -> None:
        """Send what may go: in order, a few at a time, one that happens at most once alone."""
        if self.welcome is None:
            return
        sent = [call for call in self._calls.values() if call.is_sent]
        is_alone = any(call.method in AT_MOST_ONCE for call in sent)
        count = len(sent)
        for call in self._calls.values():
            if call.is_sent:
                continue
            is_single = call.method in AT_MOST_ONCE
            if count >= MAX_OPEN or (is_single and is_alone):
                return
            is_alone = is_alone or is_single
            count += 1
            call.is_sent = True
            self.host.send(call.method, call.number.to_bytes(4, "little") + call.body)

    def _translate(self, events: list[Event], now_ms: int) -> Iterator[ClientEvent]:
        for event in events:
            if isinstance(event, Opened) and isinstance(event.terms, Welcome):
                yield from self._opened(event.terms)
            elif isinstance(event, Closed):
                self.welcome = None
                self._reply.clear()
                yield Down(event.reason)
            elif isinstance(event, Fragment):
                yield from self._fragment(event)

    def _opened(self, welcome: Welcome) -> Iterator[ClientEvent]:
        has_restarted = self._boot_nonce not in (None, welcome.boot_nonce)
        self._boot_nonce = welcome.boot_nonce
        self.welcome = welcome
        for call in list(self._calls.values()):
            call.is_sent = False
            if has_restarted and call.method is Method.RESTART:
                del self._calls[call.number]
                yield Replied(call.number, CallStatus.OK, b"")
        yield Up(welcome, has_restarted)
        self._send()

    def _fragment(self, fragment: Fragment) -> Iterator[ClientEvent]:
        if fragment.is_first:
            self._reply.clear()
        if len(self._reply) + len(fragment.payload) <= MAX_REPLY_BYTES:
            self._reply += fragment.payload
        if not fragment.is_last or not fragment.is_reply or len(self._reply) < _HEAD_BYTES:
            return
        number, status = int.from_bytes(self._reply[:4], "little"), self._reply[4]
        call = self._calls.get(number)
        if call is None or not call.is_sent or call.method != fragment.method:
            return  # late, twice, or for another: nobody waits for it
        del self._calls[number]
        body = bytes(self._reply[_HEAD_BYTES:])
        known = CallStatus(status) if status < len(CallStatus) else CallStatus.FAILED
        yield Replied(number, known, body)
        self._send()
