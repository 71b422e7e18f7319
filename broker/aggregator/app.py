"""The aggregator at work: one thread takes messages, commits, and then speaks."""

import logging
import secrets
import threading
import time
from pathlib import Path

import numpy as np

from broker.aggregator.adapters.fetch import Fetch
from broker.aggregator.adapters.fetching import Fetching
from broker.aggregator.adapters.link import Link
from broker.aggregator.adapters.state_lock import lock
from broker.aggregator.adapters.store_sqlite import SqliteStore
from broker.aggregator.exporting.adapters.process import Crash, ExportProcess
from broker.aggregator.job.aggregation import Aggregation
from broker.aggregator.job.check import check_runnable
from broker.aggregator.job.releasing import files_of
from broker.aggregator.job.words import Out, Say, Show, Supersede, Withdraw, WithdrawFile
from broker.contract.blobs import BlobRef, blob_chunks
from broker.contract.bundle.manifest import read_manifest
from broker.contract.channel import Channel
from broker.contract.errors import MessageError, TopicError
from broker.contract.federated.channels import (
    BlobChannel,
    EvaluationChannel,
    JobControlChannel,
    JobFileChannel,
    JobOutcomeChannel,
    JobSpecChannel,
    JobStatusChannel,
    UpdateChannel,
)
from broker.contract.federated.job import JobSpec, read_job
from broker.contract.federated.outcome import JobOutcome
from broker.contract.federated.round import Evaluation, JobControl, JobStatus
from broker.contract.messages import decode, encode
from broker.errors import BrokerError, ConfigError
from broker.fleet.broker_address import BrokerAddress

log = logging.getLogger(__name__)

POLL_S = 0.2
SPEC = "spec"
"""The row in which a job's file keeps its document."""

MAX_JOBS = 256
EXPORT_TRIES = 3
"""A process may be killed; one that dies so often would die for ever."""
HEARD = (
    JobSpecChannel,
    JobControlChannel,
    JobOutcomeChannel,
    UpdateChannel,
    EvaluationChannel,
)
TO_BEGIN, TO_CLEAR = "begin", "clear"
"""What a job wants a blob for."""


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
        self._exports: dict[str, ExportProcess] = {}
        self._crashes: dict[str, int] = {}
        self._outcomes: dict[str, JobOutcome] = {}
        self._lock = lock(state)
        ExportProcess.sweep(state)
        for path in sorted(state.glob("*.sqlite")):
            self._take_up(path)
        self._link = Link(address, [self._topics.filter(kind) for kind in HEARD])
        self._fetching = Fetching(self._link, self._topics)

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
            for (name, purpose), fetch in self._fetching.ended(_now_ms()):
                self._fetched(name, purpose, fetch)
            for name, job in self._jobs.items():
                job.tick(_now_ms())
                self._export(name, job)
                for out in job.commit(_now_ms()):
                    self._say(name, out)

    def close(self) -> None:
        """Let go of the link, the files and what is being made."""
        for export in self._exports.values():
            export.close()
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
        try:
            self._add(_named(path.stem, payload), payload, store)
        except MessageError as error:
            raise ConfigError(f"{path}: {error}; move it away") from None

    def _add(self, spec: JobSpec, payload: bytes, store: SqliteStore) -> None:
        self._specs[spec.id], self._stores[spec.id] = payload, store
        self._jobs[spec.id] = Aggregation(spec, store, secrets.token_bytes)
        if spec.id in self._outcomes:
            self._jobs[spec.id].heard(self._outcomes[spec.id])

    def _up(self) -> None:
        self._fetching.up(_now_ms())
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
            case BlobChannel() | JobFileChannel():
                self._fetching.take(channel, payload, now_ms)
            case JobSpecChannel(name):
                self._spec(name, payload)
            case UpdateChannel(name, number, _, device, place) if name in self._jobs:
                self._jobs[name].receive(number, device, place, payload, now_ms)
            case EvaluationChannel(name, number, device) if name in self._jobs:
                self._jobs[name].evaluated(number, device, decode(Evaluation, payload), now_ms)
            case JobOutcomeChannel(name) if payload:
                self._outcome(name, decode(JobOutcome, payload))
            case JobControlChannel(name) if name in self._jobs and payload:
                self._jobs[name].control(decode(JobControl, payload), now_ms)

    def _outcome(self, name: str, outcome: JobOutcome) -> None:
        """What the broker has of an earlier life; it may come before its job does."""
        if name in self._jobs:
            self._jobs[name].heard(outcome)
        elif len(self._outcomes) < MAX_JOBS:
            self._outcomes[name] = outcome

    def _spec(self, name: str, payload: bytes) -> None:
        """Begin a job; the terms of one that has begun do not change."""
        if name in self._jobs:
            if payload and payload != self._specs[name]:
                log.warning("job %s: its terms cannot change; start another", name)
            return
        if not payload:
            return
        try:
            spec = self._accepted(name, payload)
        except (MessageError, BrokerError) as error:
            log.warning("job %s is refused: %s", name, error)
            refusal = JobStatus("refused", 0, reason=str(error)[:400])
            self._say(name, Say(JobStatusChannel(name), refusal))
            return
        store = SqliteStore(self._state / f"{name}.sqlite")
        store.put_vector(SPEC, payload)
        store.commit()
        self._add(spec, payload, store)
        self._fetch(name)

    def _accepted(self, name: str, payload: bytes) -> JobSpec:
        spec = _named(name, payload)
        check_runnable(spec)
        if len(self._jobs) >= MAX_JOBS:
            raise MessageError(f"there are {MAX_JOBS} jobs; move old files away")
        return spec

    def _fetch(self, name: str) -> None:
        """A job that waits needs its first parameters, and what its release takes."""
        if (lacking := self._jobs[name].lacks) is not None:
            ref, secret = lacking
            self._fetching.want((name, TO_BEGIN), ref, _now_ms(), secret=secret)

    def _fetched(self, name: str, purpose: str, fetch: Fetch) -> None:
        if purpose == TO_CLEAR:
            if fetch.done:
                self._clear(name, bytes(fetch.data), fetch.ref)
            return
        job = self._jobs[name]
        is_model = fetch.ref == job.spec.model.initial
        if fetch.reason:
            what = "its first parameters do" if is_model else "a file of its outcome does"
            self._waits(name, f"{what} not come: {fetch.reason}")
        elif not is_model:
            job.keep(bytes(fetch.data))
        else:
            model = np.frombuffer(fetch.data, "<f4").astype(np.float32)
            if not np.isfinite(model).all():
                self._waits(name, "its first parameters are not finite; start another job")
                return
            job.begin(model, _now_ms())
        self._fetch(name)

    def _export(self, name: str, job: Aggregation) -> None:
        """Have releases made, one after another, and hand over what came of them."""
        running = self._exports.get(name)
        if not self._exports and (order := job.order) is not None:
            try:
                self._exports[name] = ExportProcess(order, self._state)
            except OSError as error:
                job.exported(order.number, f"it cannot be made: {error.strerror}", _now_ms())
        elif running is not None and (made := running.poll()) is not None:
            del self._exports[name]
            if isinstance(made, Crash):
                self._crashes[name] = self._crashes.get(name, 0) + 1
                log.warning("job %s: %s", name, made.reason)
                if self._crashes[name] < EXPORT_TRIES:
                    return
                made = made.reason
            job.exported(running.number, made, _now_ms())

    def _clear(self, name: str, manifest: bytes, ref: BlobRef) -> None:
        """Take the files of an outcome away that another has superseded."""
        try:
            old = {ref, *files_of(read_manifest(manifest))}
        except MessageError as error:
            log.warning("job %s: what its outcome superseded stays: %s", name, error)
            return
        for blob in old:
            self._say(name, Withdraw(blob))

    def _waits(self, name: str, why: str) -> None:
        log.warning("job %s: %s", name, why)
        told = JobStatus("waiting", self._jobs[name].spec.rounds, reason=why[:400])
        self._say(name, Say(JobStatusChannel(name), told))

    def _say(self, name: str, out: Out) -> None:
        topic, publish = self._topics.topic, self._link.publish
        match out:
            case Say(channel, message):
                publish(topic(channel), encode(message), channel.retained)
            case Show(ref, data):
                for place, chunk in blob_chunks(ref, data):
                    publish(topic(place), chunk, retain=True)
            case Withdraw(ref) if not self._is_told(ref):
                for number in range(ref.chunks):
                    publish(topic(ref.channel(number)), b"", retain=True)
            case WithdrawFile(ref):
                for number in range(ref.chunks):
                    place = ref.channel(number)
                    file = JobFileChannel(name, place.sha256, place.bucket, place.chunk)
                    publish(topic(file), b"", retain=True)
            case Supersede(ref):
                self._fetching.want((name, TO_CLEAR), ref, _now_ms())

    def _is_told(self, ref: BlobRef) -> bool:
        """Whether some job tells devices of a blob: equal files of two jobs are one."""
        return any(ref in job.told_blobs for job in self._jobs.values())


def _named(name: str, payload: bytes) -> JobSpec:
    spec = read_job(payload)
    if spec.id != name:
        raise MessageError(f"the document of job {name} is that of {spec.id}")
    return spec


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
