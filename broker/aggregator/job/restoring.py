"""The round that is open as the disk has it, for after a restart."""

from broker.aggregator.round.machine import Round, Sender
from broker.aggregator.store import Store, Verdict
from broker.contract.federated.job import JobSpec
from broker.contract.federated.round import Ack


def restored(spec: JobSpec, store: Store, number: int) -> Round:
    """Who has sent what, and what became of it."""
    round_ = Round(spec, number)
    senders: dict[str, Sender] = {}
    for verdict in store.verdicts():
        ack = Ack(verdict.whole, verdict.refused is None, verdict.refused)
        senders[verdict.device] = Sender(
            verdict.examples, set(), verdict.size_bytes, verdict.losses, ack
        )
    for device, slice_, examples, size_bytes in store.held():
        sender = senders.setdefault(device, Sender(examples))
        if sender.ack is None:
            sender.held.add(slice_)
            sender.size_bytes += size_bytes
    for device, sender in senders.items():
        round_.restore(device, sender)
    return round_


def verdict_of(device: str, sender: Sender) -> Verdict:
    """What the disk keeps of a device once it is judged."""
    ack = sender.ack
    assert ack is not None, "a verdict is recorded"
    return Verdict(
        *(device, sender.examples, sender.size_bytes, sender.losses, ack.whole, ack.refused)
    )
