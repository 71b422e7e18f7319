"""One round: a table of transitions, driven by slices and the time.

Per device it holds which slices came until its update is whole, then only what became of it. The
slices themselves are on the disk.
"""

from dataclasses import dataclass, field
from enum import Enum

from broker.aggregator.round import words as w
from broker.contract.federated.codecs.spec import CODEC_IDS
from broker.contract.federated.job import JobSpec
from broker.contract.federated.round import Ack, Missing
from broker.contract.federated.slices import missing


class State(Enum):
    """Where a round stands."""

    COLLECTING = "collecting"
    CLOSED = "closed"
    LAPSED = "lapsed"


S = State
TABLE: dict[tuple[State, type], str] = {
    (S.COLLECTING, w.Arrived): "take",
    (S.COLLECTING, w.Broken): "refuse",
    (S.COLLECTING, w.Judged): "settle",
    (S.COLLECTING, w.Due): "end",
    **{(state, w.Arrived): "come_late" for state in (S.CLOSED, S.LAPSED)},
    **{(state, w.Broken): "come_late" for state in (S.CLOSED, S.LAPSED)},
}
"""Every pair that is not here changes nothing."""

SPARE_SENDERS = 100


@dataclass
class Sender:
    """What is known of one device in this round.

    Attributes:
        examples: what the device claims.
        held: slices that are on the disk, until there is a verdict.
        ack: the verdict.
    """

    examples: int = 0
    held: set[int] = field(default_factory=set)
    size_bytes: int = 0
    losses: tuple[float, float] | None = None
    ack: Ack | None = None


@dataclass
class Round:
    """One round of a job; `handle` is the only way in.

    Attributes:
        senders: by the name of the device.
        counted: updates in the sums.
        refused: messages and updates that were not accepted.
        duplicates: slices that were there before.
    """

    spec: JobSpec
    number: int
    senders: dict[str, Sender] = field(default_factory=dict)
    state: State = State.COLLECTING
    counted: int = 0
    refused: int = 0
    duplicates: int = 0
    late: int = 0

    def handle(self, event: w.Event) -> list[w.Effect]:
        """Take an event and return what must be done, in this order."""
        transition = TABLE.get((self.state, type(event)))
        if transition is None:
            return []
        effects: list[w.Effect] = getattr(self, f"_{transition}")(event)
        return effects

    def restore(self, device: str, sender: Sender) -> None:
        """After a restart: what the disk says of a device."""
        self.senders[device] = sender
        if sender.ack is not None:
            self.counted += sender.ack.counted
            self.refused += sender.ack.refused is not None

    def standing(self, device: str) -> Ack | Missing:
        """What to tell a device."""
        sender = self.senders.get(device)
        if sender is not None and sender.ack is not None:
            return sender.ack
        if self.state is not State.COLLECTING:
            return Ack(False, refused=f"round {self.number} is over")
        if sender is None:
            return Ack(False, refused="too many devices send to this round")
        return Missing(tuple(missing(sender.held, self.spec.cut.count)))

    @property
    def bytes(self) -> int:
        """Of all messages that came in."""
        return sum(sender.size_bytes for sender in self.senders.values())

    def _take(self, event: w.Arrived) -> list[w.Effect]:
        sender = self._sender(event)
        if sender is None:
            return [w.Tell(event.device)]
        if sender.ack is not None or event.number in sender.held:
            self.duplicates += 1
            return [w.Tell(event.device)]
        if fault := self._fault(event, sender):
            return self._refuse(w.Broken(event.device, 0, fault))
        sender.examples = event.examples
        sender.held.add(event.number)
        if event.losses is not None:
            sender.losses = event.losses
        kept = w.Spool(event.device, event.number)
        if len(sender.held) == event.of:
            return [kept, w.Judge(event.device)]
        # A device sends in ascending order: with the last one it waits for word.
        return [kept, w.Tell(event.device)] if event.number == event.of - 1 else [kept]

    def _sender(self, event: w.Arrived | w.Broken) -> Sender | None:
        sender = self.senders.get(event.device)
        if sender is None:
            if len(self.senders) >= 4 * self.spec.participation.goal + SPARE_SENDERS:
                self.refused += 1
                return None
            sender = self.senders[event.device] = Sender()
        sender.size_bytes += event.size_bytes
        return sender

    def _fault(self, event: w.Arrived, sender: Sender) -> str | None:
        wanted = self.spec.cut.count
        if event.of != wanted:
            return f"an update has {wanted} slices, not {event.of}"
        if event.codec != CODEC_IDS[self.spec.codec.name]:
            return f"the codec of this job is {self.spec.codec.name}, not number {event.codec}"
        if sender.held and event.examples != sender.examples:
            return f"slices disagree on examples: {sender.examples} and {event.examples}"
        return None

    def _refuse(self, event: w.Broken) -> list[w.Effect]:
        sender = self._sender(event)
        self.refused += 1
        if sender is None or sender.ack is not None:
            return [w.Tell(event.device)]
        return self._verdict(event.device, sender, Ack(False, refused=event.reason[:400]))

    def _settle(self, event: w.Judged) -> list[w.Effect]:
        sender = self.senders[event.device]
        if event.refused is not None:
            self.refused += 1
            ack = Ack(True, refused=event.refused[:400])
            return self._verdict(event.device, sender, ack)
        self.counted += 1
        effects = self._verdict(event.device, sender, Ack(True, counted=True))
        if self.counted >= self.spec.participation.goal:
            self.state = State.CLOSED
            effects.append(w.Close())
        return effects

    def _verdict(self, device: str, sender: Sender, ack: Ack) -> list[w.Effect]:
        sender.ack, sender.held = ack, set()
        return [w.Record(device), w.Tell(device)]

    def _end(self, _: w.Due) -> list[w.Effect]:
        quorum = self.spec.participation.quorum
        if self.counted >= quorum:
            self.state = State.CLOSED
            return [w.Close()]
        self.state = State.LAPSED
        return [w.Lapse(f"{self.counted} updates came in time, the quorum is {quorum}")]

    def _come_late(self, event: w.Arrived | w.Broken) -> list[w.Effect]:
        self.late += 1
        return [w.Tell(event.device)]


def diagram() -> str:
    """Draw the table as a Mermaid state diagram, for the documentation."""
    ends = {"settle": (S.COLLECTING, S.CLOSED), "end": (S.CLOSED, S.LAPSED)}
    lines = ["stateDiagram-v2", "    [*] --> collecting"]
    for (state, event), transition in TABLE.items():
        label = f"{event.__name__.lower()} / {transition.replace('_', ' ')}"
        targets = ends.get(transition, (state,))
        lines += [f"    {state.value} --> {target.value}: {label}" for target in targets]
    return "\n".join(lines) + "\n"
