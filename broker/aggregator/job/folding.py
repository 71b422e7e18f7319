"""The updates of the round that is open: from the disk into the sums, and checkpoints of these."""

from collections.abc import Iterator

import numpy as np

from broker.aggregator.robust.rules import Rows, stacked
from broker.aggregator.store import Checkpoint, Store, Verdict
from broker.aggregator.sums import Total
from broker.aggregator.updates import decoded_update, weight_of
from broker.contract.errors import MessageError
from broker.contract.federated.codecs.choose import codec_of
from broker.contract.federated.job import JobSpec


class Folding:
    """Sums of one round.

    Attributes:
        total: the sums; empty under a robust rule, which looks at the updates themselves.
        unsaved: updates that only their slices on the disk bring back.
    """

    def __init__(self, spec: JobSpec, store: Store, round_seed: str) -> None:
        """Begin with nothing."""
        self._spec, self._store, self._seed = spec, store, round_seed
        self._codec = codec_of(spec.codec, spec.model.parameters)
        self._sums = spec.robust.rule == "none"
        self.total = Total(spec.cut)
        self.unsaved: list[str] = []

    def restore(self, verdicts: list[Verdict]) -> None:
        """After a restart: the checkpoint, and what was counted since."""
        checkpoint = self._store.checkpoint()
        if checkpoint is not None:
            fixed = np.frombuffer(checkpoint.fixed, "<i8").astype(np.int64)
            self.total = Total(self._spec.cut, fixed, checkpoint.weight)
        for verdict in verdicts:
            if self._sums and verdict.refused is None and not verdict.folded:
                self._fold(verdict.device, verdict.examples)

    def judge(self, device: str, examples: int) -> str | None:
        """Check an update and add it; or say why it is refused."""
        try:
            self._fold(device, examples)
        except MessageError as error:
            return str(error)
        return None

    def save(self) -> None:
        """Keep the sums, and drop the slices that are in them."""
        fixed = self.total.fixed.astype("<i8", copy=False).data
        self._store.put_checkpoint(Checkpoint(fixed, self.total.weight), self.unsaved)
        self.unsaved = []

    def slices(self, devices: list[str]) -> Iterator[Rows]:
        """Each slice of the updates of these devices."""
        return stacked(self._spec, self._codec, self._seed, devices, self._store.slice_data)

    def _fold(self, device: str, examples: int) -> None:
        data = [self._store.slice_data(device, n) for n in range(self._spec.cut.count)]
        pieces = decoded_update(self._spec, self._codec, self._seed, device, data)
        if self._sums:
            self.total.add(pieces, weight_of(self._spec, examples))
            self.unsaved.append(device)
