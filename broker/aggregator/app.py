"""The aggregator at work: one thread takes messages, commits, and then speaks."""

import logging
import secrets
import threading
import time
from pathlib import Path

import numpy as np

from broker.aggregator.adapters.fetch import Fetch
from broker.aggregator.adapters.link import Link
from broker.aggregator.adapters.state_lock import lock
from broker.aggregator.adapters.store_sqlite import SqliteStore
from broker.aggregator.job.aggregation import Aggregation
from broker.aggregator.job.check import check_runnable
from broker.aggregator.job.words import Out, Say, Show, Withdraw
from broker.contract import blob_download as d
from broker.contract.blobs import blob_chunks
from broker.contract.channel import Channel
from broker.contract.errors import MessageError, TopicError
from broker.contract.federated.channels import (
    BlobChannel,
    EvaluationChannel,
    JobControlChannel,
    JobSpecChannel,
    JobStatusChannel,
    UpdateChannel,
)
from broker.contract.federated.job import JobSpec, read_job
from broker.contract.federated.round import Evaluation, JobControl, JobStatus
from broker.contract.messages import decode, encode
from broker.errors import BrokerError
from broker.fleet.broker_address import BrokerAddress

log = logging.getLogger(__name__)

POLL_S = 0.2
SPEC = "spec"
"""The row in which a job's file keeps its document."""

MAX_JOBS = 256
HEARD = (JobSpecChannel, JobControlChannel, UpdateChannel, EvaluationChannel)


class Aggregator:
    """All jobs of one state folder, on one broker."""

    def __init__(self, address: BrokerAddress, state: Path) -> None:
        """Take up what the folder holds, and connect.

        Raises:
            ConfigError: the folder or a file in it cannot be used.
            LinkError: there is no broker.
        """
        self._topics, self._state = address.topics, state
        self._jobs: dict[str, Aggregation] = {}
        self._stores: dict[str, SqliteStore] = {}
        self._specs: dict[str, bytes] = {}
        self._fetches: dict[str, Fetch] = {}
        self._lock = lock(state)
        for path in sorted(state.glob("*.sqlite")):
            self._take_up(path)
        self._link = Link(address, [self._topics.filter(kind) for kind in HEARD])

    @property
    def jobs(self) -> list[str]:
        """Names of all jobs."""
        return sorted(self._jobs)

    def run(self, asked_to_stop: threading.Event) -> None:
        """Work until asked to stop."""
        while not asked_to_stop.is_set():
            for message in self._link.receive(POLL_S):
                if message is None:
                    self._up()
                else:
                    self._receive(*message)
            for fetch in self._fetches.values():
                fetch.handle(d.Due(), _now_ms())
            self._finish_fetches()
            for job in self._jobs.values():
                job.tick(_now_ms())
                for out in job.commit(_now_ms()):
                    self._say(out)

    def close(self) -> None:
        """Let go of the link and the files."""
        self._link.close()
        for store in self._stores.values():
            store.close()
        self._lock.close()

    def _take_up(self, path: Path) -> None:
        store = SqliteStore(path)
        payload = store.vectors().get(SPEC)
        if payload is None:
            store.close()
            return
        self._add(read_job(payload), payload, store)

    def _add(self, spec: JobSpec, payload: bytes, store: SqliteStore) -> None:
        self._specs[spec.id], self._stores[spec.id] = payload, store
        self._jobs[spec.id] = Aggregation(spec, store, secrets.token_bytes)

    def _up(self) -> None:
        for fetch in self._fetches.values():
            fetch.handle(d.Down(), _now_ms())
            fetch.handle(d.Up(), _now_ms())
        for name, job in self._jobs.items():
            job.announce()
            self._fetch(name)

    def _receive(self, topic: str, payload: bytes) -> None:
        try:
            channel = self._topics.channel(topic)
            self._take(channel, payload)
        except (TopicError, MessageError) as error:
            log.warning("%s", error)

    def _take(self, channel: Channel, payload: bytes) -> None:
        now_ms = _now_ms()
        match channel:
            case BlobChannel(sha256, bucket, chunk):
                for fetch in self._fetches.values():
                    if fetch.ref.sha256 == sha256:
                        fetch.handle(d.Chunk(bucket, chunk, payload), now_ms)
            case JobSpecChannel(name):
                self._spec(name, payload)
            case UpdateChannel(name, number, _, device, place) if name in self._jobs:
                self._jobs[name].receive(number, device, place, payload, now_ms)
            case EvaluationChannel(name, number, device) if name in self._jobs:
                self._jobs[name].evaluated(number, device, decode(Evaluation, payload))
            case JobControlChannel(name) if name in self._jobs and payload:
                self._jobs[name].control(decode(JobControl, payload), now_ms)

    def _spec(self, name: str, payload: bytes) -> None:
        """Begin a job; the terms of one that has begun do not change."""
        if name in self._jobs:
            if payload and payload != self._specs[name]:
                log.warning("job %s: its terms cannot change; start another", name)
            return
        if not payload:
            return
        try:
            spec = read_job(payload)
            check_runnable(spec)
            if spec.id != name:
                raise MessageError(f"the document of job {name} is that of {spec.id}")  # noqa: TRY301
            if len(self._jobs) >= MAX_JOBS:
                raise MessageError(f"there are {MAX_JOBS} jobs; move old files away")  # noqa: TRY301
        except (MessageError, BrokerError) as error:
            log.warning("job %s is refused: %s", name, error)
            refusal = JobStatus("refused", 0, reason=str(error)[:400])
            self._say(Say(JobStatusChannel(name), refusal))
            return
        store = SqliteStore(self._state / f"{name}.sqlite")
        store.put_vector(SPEC, payload)
        store.commit()
        self._add(spec, payload, store)
        self._fetch(name)

    def _fetch(self, name: str) -> None:
        """A job that waits needs its first parameters."""
        job = self._jobs[name]
        if job.vectors is None and name not in self._fetches:
            self._fetches[name] = Fetch(job.spec.model.initial, self._link, self._topics)
            self._fetches[name].handle(d.Up(), _now_ms())

    def _finish_fetches(self) -> None:
        for name in [n for n, f in self._fetches.items() if f.done or f.reason]:
            fetch = self._fetches.pop(name)
            if fetch.reason:
                self._waits(name, f"its first parameters do not come: {fetch.reason}")
                self._fetch(name)
                continue
            model = np.frombuffer(fetch.data, "<f4").astype(np.float32)
            if np.isfinite(model).all():
                self._jobs[name].begin(model, _now_ms())
            else:
                self._waits(name, "its first parameters are not finite; start another job")

    def _waits(self, name: str, why: str) -> None:
        log.warning("job %s: %s", name, why)
        told = JobStatus("waiting", self._jobs[name].spec.rounds, reason=why[:400])
        self._say(Say(JobStatusChannel(name), told))

    def _say(self, out: Out) -> None:
        match out:
            case Say(channel, message):
                self._link.publish(self._topics.topic(channel), encode(message), channel.retained)
            case Show(ref, data):
                for place, chunk in blob_chunks(ref, data):
                    self._link.publish(self._topics.topic(place), chunk, retain=True)
            case Withdraw(ref):
                for number in range(ref.chunks):
                    self._link.publish(self._topics.topic(ref.channel(number)), b"", retain=True)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
