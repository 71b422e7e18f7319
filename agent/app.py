"""The agent's main process: reads events, hands them to the core, performs what it asks for."""

import logging
import os
import random
import selectors
import signal
import sys
import uuid
from collections.abc import Iterable

from agent.adapters.children import CACHE_FOLDER, MODELS_FOLDER, Children
from agent.adapters.config_files import default_device_id, state_folder
from agent.adapters.errands import Errands
from agent.adapters.event_queue import EventQueue
from agent.adapters.machine import Machine
from agent.adapters.mqtt_link import MqttLink
from agent.adapters.state_folder import StateFolder
from agent.adapters.systemd import Notifier
from agent.blobs.adapters.blob_folder import BlobFolder
from agent.config.device import DeviceConfig
from agent.config.layers import Layers
from agent.control import reports
from agent.control.core import Agent
from agent.control.events import (
    Action,
    ChildAction,
    End,
    Event,
    Installed,
    Kill,
    LearnerEnded,
    Log,
    Measure,
    Overflowed,
    Publish,
    Remember,
    SetLogLevel,
    Spawn,
    SpawnBridge,
    StartInstaller,
    StartLearner,
    StopInstaller,
    StopLearner,
    Subscribe,
    Tell,
    Tick,
    Unsubscribe,
)
from agent.control.reports import Identity
from agent.control.shadow import Shadow, recall
from agent.control.stores import Stores
from agent.errors import LinkError, StorageError
from agent.learning.jobs.adapters.job_folders import JobFolders
from agent.learning.jobs.adapters.machine_conditions import conditions
from agent.learning.jobs.kit import Ports
from agent.learning.learner.adapters.process import LearnerProcess
from agent.learning.samples.adapters.sqlite_samples import SAMPLES_FILE, SqliteSamples
from agent.models.adapters.model_folder import ModelFolder
from agent.models.adapters.process import InstallerProcess
from agent.models.request import Report
from agent.outbox.adapters.sqlite_store import SqliteStore
from agent.outbox.outbox import Outbox
from broker.contract.messages import encode
from broker.contract.topics import StatusChannel, Topics
from broker.contract.version import VERSION

log = logging.getLogger("agent")

ENDING_POLL_S = 0.02
LONGEST_SLEEP_S = 5.0
FLUSH_S = 2.0
LINK_SILENT_S = 60.0
"""A link thread that did not turn for so long is stuck, and the watchdog is not fed."""

OUTBOX_FILE = "outbox.sqlite3"
BLOBS_FOLDER = "blobs"
JOBS_FOLDER = "jobs"


class App:
    """Wires the core to the machine."""

    def __init__(self, layers: Layers, config: DeviceConfig) -> None:
        """Open what the agent needs.

        Raises:
            AgentError: something of the configuration or the state folder cannot be used.
        """
        self._machine = Machine()
        self._notifier = Notifier()
        self._state = StateFolder(state_folder(config.state_dir))
        self._store = SqliteStore(self._state.path / OUTBOX_FILE)
        self._samples = SqliteSamples(self._state.path / SAMPLES_FILE)
        self._selector = selectors.DefaultSelector()
        self._children = Children(self._state.path, self._selector, self._handle)
        self._learners = Errands(LearnerProcess, LearnerEnded, self._selector, self._handle)
        self._installers = Errands(InstallerProcess, _installed, self._selector, self._handle)
        self._events = EventQueue()
        self._selector.register(self._events, selectors.EVENT_READ, None)
        self._end: End | None = None
        self._asked_to_leave = self._leaving = False
        now = self._machine.now()
        self._pinged_ms = 0

        identity = Identity(
            config.device_id or default_device_id(),
            uuid.uuid4().hex[:16],
            VERSION,
            now.monotonic_ms,
            runtimes=_runtimes(),
        )
        shadow = Shadow(layers, recall(self._state.remembered()))
        outbox = Outbox(self._store, shadow.config.outbox, now.monotonic_ms)
        folder = self._state.path.absolute()
        blobs = BlobFolder(folder / BLOBS_FOLDER)
        ports = Ports(
            JobFolders(folder / JOBS_FOLDER),
            conditions,
            str(folder / SAMPLES_FILE),
            str(folder / CACHE_FOLDER),
        )
        models = ModelFolder(folder / MODELS_FOLDER, lambda: shadow.config.models.limit_bytes)
        stores = Stores(self._samples, blobs, ports, models)
        self._core = Agent(identity, shadow, outbox, stores, random.random)
        topic = Topics(config.broker.prefix).topic(StatusChannel(identity.device))
        will = Publish(topic, encode(reports.will(identity)), retain=True)
        self._link = MqttLink(
            config.broker, f"selvedge-agent-{identity.device}", will, self._events.put
        )

    def run(self) -> End:
        """Serve until told to end; return how."""
        self._take_signals()
        log.info("agent starts; state in %s", self._state.path)
        self._perform(self._core.begin(self._machine.now()))
        self._link.start()
        self._notifier.notify("READY=1")
        try:
            while self._end is None:
                self._turn()
        finally:
            self._notifier.notify("STOPPING=1")
            self._link.stop(FLUSH_S)
            self._drain_link()
            self._core.close(self._machine.now())
            self._children.release()
            self._learners.release()
            self._installers.release()
            self._store.close()
            self._samples.close()
            self._state.release()
        return self._end

    def _turn(self) -> None:
        for key, mask in self._selector.select(self._sleep_s()):
            if key.data is not None:
                self._children.serve(key.data, mask)
        if self._asked_to_leave and not self._leaving:
            self._leaving = True
            log.info("asked to stop")
            self._perform(self._core.end(self._machine.now()))
        self._drain_link()
        self._children.reap()
        self._learners.poll()
        self._installers.poll()
        self._handle(Tick())
        self._perform(self._core.publishable(self._machine.now()))
        self._feed_watchdog()

    def _sleep_s(self) -> float:
        if self._children.any_ending():
            return ENDING_POLL_S
        due_s = (self._core.due_ms() - self._machine.now().monotonic_ms) / 1000
        longest_s = min(LONGEST_SLEEP_S, self._notifier.ping_interval_s or LONGEST_SLEEP_S)
        return max(0.0, min(longest_s, due_s))

    def _handle(self, event: Event) -> None:
        self._perform(self._core.handle(event, self._machine.now()))

    def _perform(self, actions: Iterable[Action]) -> None:
        for action in actions:
            self._perform_one(action)

    def _perform_one(self, action: Action) -> None:
        match action:
            case Publish():
                self._link.publish(action)
            case Subscribe():
                self._link.subscribe(action.filters)
            case Unsubscribe():
                self._link.unsubscribe(action.filters)
            case Remember():
                self._remember(action)
            case SetLogLevel():
                logging.getLogger().setLevel(action.level.upper())
            case Measure():
                self._handle(self._machine.readings(self._children.pids()))
            case Log():
                log.log(getattr(logging, action.level.upper()), "%s", action.text)
            case End():
                self._end = action
            case _:
                self._perform_on_child(action)

    def _perform_on_child(self, action: ChildAction) -> None:
        match action:
            case Spawn():
                self._children.spawn_pipeline(action)
            case SpawnBridge():
                self._children.spawn_bridge(action)
            case Tell():
                self._children.tell(action.pipeline, action.message)
            case Kill():
                self._children.kill(action.pipeline)
            case StartLearner():
                self._learners.start(action.token, action.request)
            case StopLearner():
                self._learners.stop(action.token)
            case StartInstaller():
                self._installers.start(action.token, action.request)
            case StopInstaller():
                self._installers.stop(action.token)

    def _remember(self, action: Remember) -> None:
        try:
            self._state.remember(action.document)
        except StorageError as error:
            log.warning("remote configuration is in force but not kept: %s", error)

    def _drain_link(self) -> None:
        events, dropped = self._events.take()
        if dropped:
            self._handle(Overflowed(dropped))
        for event in events:
            self._handle(event)

    def _take_signals(self) -> None:
        def leave(_: int, __: object) -> None:
            self._asked_to_leave = True
            self._events.wake()

        signal.signal(signal.SIGTERM, leave)
        signal.signal(signal.SIGINT, leave)

    def _feed_watchdog(self) -> None:
        interval_s = self._notifier.ping_interval_s
        now_ms = self._machine.now().monotonic_ms
        if interval_s is None or now_ms - self._pinged_ms < interval_s * 1000:
            return
        if now_ms / 1000 - self._link.alive_at < LINK_SILENT_S:
            self._pinged_ms = now_ms
            self._notifier.notify("WATCHDOG=1")


def run(layers: Layers, config: DeviceConfig) -> None:
    """Run the agent; where it is told to begin again, replace this process by a fresh one.

    Raises:
        AgentError: it cannot start, or ended with an error.
    """
    end = App(layers, config).run()
    if end.error is not None:
        raise LinkError(end.error)
    if end.again:
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _installed(token: int, report: Report | None, reason: str) -> Installed:
    return Installed(token, report or Report(reason))


def _runtimes() -> tuple[str, ...]:
    from agent.runtime.adapters.installed import available

    return tuple(found.runtime for found in available())
