"""The sending of one job's updates: from the disk to the broker, and what is told beside them."""

from agent.control.events import Action, Log, Publish, Receipt, Taken
from agent.errors import StorageError
from agent.learning.jobs.disk import Terms
from agent.learning.jobs.kit import Kit
from agent.learning.jobs.upload import Upload
from broker.contract.federated.channels import EvaluationChannel, UpdateChannel
from broker.contract.federated.participant.words import Key
from broker.contract.federated.round import Evaluation
from broker.contract.messages import encode


class Sender:
    """One sending at a time; another one makes void what is left of it."""

    def __init__(self, kit: Kit, terms: Terms, shards: int) -> None:
        self._kit, self._terms, self._shards = kit, terms, shards
        self._upload = Upload()
        self._sizes: dict[int, int] = {}
        self._key: Key = (terms.job, 0)

    def begin(
        self, key: Key, slices: tuple[int, ...], evaluation: Evaluation | None
    ) -> list[Action]:
        """Send some slices of an update; first the evaluation, for the last may close the round."""
        self._key = key
        self._upload.begin(slices)
        told: list[Action] = []
        if evaluation is not None:
            topic = self._kit.topics.topic(EvaluationChannel(*key, self._kit.device))
            told.append(Publish(topic, encode(evaluation), retain=False))
        return told + self._next()

    def stop(self) -> None:
        """Send no more."""
        self._upload.stop()

    def taken(self, event: Taken) -> list[Action]:
        """The broker answered a slice: send the next."""
        place = event.receipt.slice
        if not self._upload.taken(event.receipt.attempt, place):
            return []
        if event.refused is not None:
            text = f"job {self._terms.job}: the broker refused a slice: {event.refused}"
            return [Log("warning", text), *self._next()]
        self._kit.sent_bytes += self._sizes.pop(place, 0)
        return self._next()

    def is_through(self) -> bool:
        """Whether the broker has answered all of it; said once."""
        return self._upload.is_through()

    def _next(self) -> list[Action]:
        actions: list[Action] = []
        while places := self._upload.next():
            actions += [self._slice(place) for place in places]
        return actions

    def _slice(self, place: int) -> Action:
        attempt = self._upload.attempt
        try:
            payload = self._kit.ports.disk.piece(self._terms, self._key[1], place)
        except StorageError as error:
            self._upload.taken(attempt, place)  # the participant sends it again in a while
            return Log("warning", f"job {self._terms.job}: {error}")
        self._sizes[place] = len(payload)
        channel = UpdateChannel(*self._key, place % self._shards, self._kit.device, place)
        topic, receipt = self._kit.topics.topic(channel), Receipt(*self._key, place, attempt)
        return Publish(topic, payload, retain=False, receipt=receipt)
