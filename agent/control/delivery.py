"""From a child's answer to a numbered result in the outbox, and from there to the broker."""

from collections.abc import Callable

from agent.channel.messages import Answer
from agent.control import reports
from agent.control.events import Action, Delivered, Log, Now, Publish
from agent.control.pipeline import Pipeline
from agent.errors import StorageError
from agent.outbox.outbox import Outbox
from broker.contract.codec import MAX_JSON_BYTES
from broker.contract.messages import encode
from broker.contract.topics import ResultsChannel, Topics

LATE = b',"late":true}'
REFUSED = ""
"""Stands for every pipeline, where its name would in what is troubled."""

MAX_RESULT_BYTES = MAX_JSON_BYTES - len(LATE)
"""No reader of the contract takes more, and a broker that closes the link on it would do so again
with every attempt to send it."""


class Delivery:
    """Results of one device on their way."""

    def __init__(
        self,
        outbox: Outbox,
        topics: Topics,
        device: str,
        numbered: Callable[[str, int | None, Now], None],
    ) -> None:
        """Tell `numbered` the pipeline and the sequence of every answer; None: it has none."""
        self._outbox = outbox
        self._topics = topics
        self._device = device
        self._numbered = numbered
        self._troubled: set[str] = set()

    def answered(self, name: str, pipeline: Pipeline, answer: Answer, now: Now) -> list[Action]:
        """Number an answer and put it in the outbox."""
        try:
            sequence = self._outbox.sequences.next(name)
        except StorageError as error:
            self._numbered(name, None, now)
            return self._drop(name, str(error))
        self._numbered(name, sequence, now)
        payload = encode(reports.result(answer, pipeline, sequence, now))
        if len(payload) > MAX_RESULT_BYTES:
            return self._drop(name, f"{len(payload)} bytes exceed {MAX_RESULT_BYTES}")
        self._outbox.put(name, payload, pipeline.config.priority, now.monotonic_ms)
        self._troubled.discard(name)
        return []

    def delivered(self, event: Delivered) -> list[Action]:
        """Let a row go; one that the broker refused is counted as dropped."""
        self._outbox.acknowledge(event.row_id)
        if event.refused is not None:
            return self._drop(REFUSED, f"the broker refused them: {event.refused}")
        self._troubled.discard(REFUSED)
        return []

    def _drop(self, name: str, reason: str) -> list[Action]:
        self._outbox.dropped += 1
        if name in self._troubled:
            return []
        self._troubled.add(name)
        return [Log("error", f"results{name and f' of {name}'} are dropped: {reason}")]

    def publishable(self, now: Now) -> list[Action]:
        """Return the results that may go out now, each with its row's id."""
        return [
            Publish(
                self._topics.topic(ResultsChannel(self._device, row.pipeline)),
                _late(row.payload) if self._outbox.late(row, now.monotonic_ms) else row.payload,
                retain=False,
                row_id=row.id,
            )
            for row in self._outbox.take(now.monotonic_ms)
        ]


def _late(payload: bytes) -> bytes:
    return payload[:-1] + LATE
