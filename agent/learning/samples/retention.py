"""Which samples go when there are too many."""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple


class Held(NamedTuple):
    """What is known of a sample without reading it; a larger id is younger."""

    id: int
    label: str
    size_bytes: int


def victims(held: Iterable[Held], limit_bytes: int, per_label: int) -> list[int]:
    """Choose what must go: beyond `per_label` the oldest; for room, the commonest label's oldest.

    So a label that is rare keeps its few samples however many of another come.
    """
    labels: dict[str, deque[Held]] = {}
    for one in sorted(held):
        labels.setdefault(one.label, deque()).append(one)
    gone: list[int] = []
    for samples in labels.values():
        while len(samples) > per_label:
            gone.append(samples.popleft().id)
    size_bytes = sum(one.size_bytes for samples in labels.values() for one in samples)
    while size_bytes > limit_bytes:
        commonest = max(labels.values(), key=lambda samples: (len(samples), -samples[0].id))
        one = commonest.popleft()
        if not commonest:
            del labels[one.label]
        gone.append(one.id)
        size_bytes -= one.size_bytes
    return gone
