"""The demo: a broker, an aggregator and agents as real processes that learn from each other."""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from threadpoolctl import threadpool_limits

from broker.adapters import private_broker
from broker.adapters.listen_address import ListenAddress
from broker.adapters.private_broker import RunningBroker
from broker.adapters.tcp_proxy import TcpProxy
from broker.contract.federated.round import JobStatus
from broker.contract.topics import Topics
from broker.demo import recipe
from broker.demo.adapters import processes
from broker.demo.adapters.board import EmulatedBoard
from broker.demo.adapters.federation import Federation
from broker.demo.adapters.processes import Process
from broker.demo.adapters.wasm_model import module_of, runtimes
from broker.demo.adapters.watcher import Watcher
from broker.demo.summary import Seen, figures, lines
from broker.demo.tally import Stream, Tally
from broker.errors import LinkError, UsageError
from toolchain.digits.adapters import scikit
from toolchain.errors import ToolchainError

ONLINE_TIMEOUT_S = 60.0
APPLY_TIMEOUT_S = 15.0
ANSWER_TIMEOUT_S = 30.0
CUT_S = 3.0
CUT_AFTER_ROUND = 2
TAIL_S = 20.0
OWN_PREFIX = "selvedge-demo/v1"
"""Of the topics on a broker that others use as well: what the demo says and clears is its own."""


Say = Callable[[str, str], None]


class Demo:
    """One run; `say` gets a topic and a line for people.

    Attributes:
        job: what the aggregator said of the federated job in the end.
    """

    def __init__(self, agents: int, rounds: int, broker_url: str | None, say: Say) -> None:
        self._devices = [f"demo-{number + 1}" for number in range(agents)]
        self._rounds = rounds
        self._broker_url = broker_url
        self._topics = Topics() if broker_url is None else Topics(OWN_PREFIX)
        self._say = say
        self._processes: list[Process] = []
        self.job: JobStatus | None = None
        self._board: recipe.Board | None = None

    def run(self) -> dict[str, Any]:
        """Play everything and return the figures; nothing is left running or lying about."""
        began = time.monotonic()
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="selvedge-demo-")))
            emulated = EmulatedBoard()
            stack.callback(emulated.stop)
            broker = self._start_broker(stack)
            url = self._broker_url or self._current.url
            address = _address_of(url)
            made = self._train()
            federation = Federation(made, self._rounds, folder, self._say)
            federation.write_files()
            models = self._write_models(folder, made.model)
            self._board = emulated.with_plan(folder / "digits.plan", made.model, self._say)
            if self._board is not None:
                models[recipe.MCU] = models["tflite"]
            self._first = {_sha256(path) for path in models.values()}
            tally = self._new_tally(made, models)
            cable = stack.enter_context(TcpProxy(address.port, target_host=address.host))
            self._write_configs(folder, made, models)
            federation.deal(lambda device: folder / f"{device}.toml")
            watcher = Watcher(address, self._topics, tally)
            watcher.connect()
            stack.callback(watcher.leave)
            if broker is None:
                stack.callback(watcher.forget)
            stack.enter_context(self._running(folder, url, cable.port))
            self._wait_online(watcher, tally)
            federation.start(url, self._topics.prefix)
            self._change_threshold(watcher, tally)
            federation.wait_round(watcher, min(CUT_AFTER_ROUND, self._rounds), self._check)
            self._cut(watcher, tally, cable, broker)
            federation.wait_round(watcher, self._rounds, self._check)
            self.job = job = federation.wait_shipped(watcher, self._check)
            self._wait_switched(watcher, tally, federation)
            self._wait_for_all(watcher, tally)
            with watcher.still():
                seen = Seen(tally, job, self._devices, frozenset(self._first), self._changed_at)
                told, numbers = lines(seen), figures(seen)
            for line in told:
                self._say(*line)
            return numbers | {"seconds": round(time.monotonic() - began, 1)}

    def _new_tally(self, made: recipe.Recipe, models: dict[str, str]) -> Tally:
        truth = {}
        for device, share in made.shares.items():
            _, *others = self._runtimes_of(device, models)
            for name in (recipe.LEARNER, *map(recipe.pipeline_of, others)):
                truth[Stream(device, name)] = share.labels.tolist()
        return Tally(truth, frozenset(self._learners))

    @property
    def _learners(self) -> list[Stream]:
        return [Stream(device, recipe.LEARNER) for device in self._devices]

    def _train(self) -> recipe.Recipe:
        began = time.monotonic()
        with threadpool_limits(1):
            made = recipe.prepare(scikit.load(), self._devices)
        self._say(
            "model",
            f"a CNN learned from {len(made.calibration)} handwritten digits in"
            f" {time.monotonic() - began:.1f} s; {100 * made.accuracy:.1f} % right on held-out"
            f" ones; {len(made.model) / 1000:.1f} kB int8",
        )
        return made

    def _write_models(self, folder: Path, model: bytes) -> dict[str, str]:
        """The path of a model for each runtime that this machine has."""
        models = {"tflite": folder / "digits.tflite"}
        models["tflite"].write_bytes(model)
        names, lacking = runtimes()
        try:
            began = time.monotonic()
            module = module_of(model)
        except ToolchainError as error:
            self._say("wasm", f"without wasm: {error}")
            return {name: str(path) for name, path in models.items()}
        path = folder / "digits.wasm"
        path.write_bytes(module)
        took_ms = 1000 * (time.monotonic() - began)
        self._say(
            "wasm",
            f"the same model as a sealed module of {len(module) / 1000:.1f} kB, converted in"
            f" {took_ms:.0f} ms",
        )
        for line in lacking:
            self._say("wasm", line)
        return {name: str(path) for name, path in (models | dict.fromkeys(names, path)).items()}

    def _runtimes_of(self, device: str, models: dict[str, str]) -> list[str]:
        """The first device runs its digits under every runtime; each other has one, in turn."""
        if device == self._devices[0]:
            return list(models)
        own = [name for name in models if name != recipe.MCU]
        return [own[self._devices.index(device) % len(own)]]

    def _start_broker(self, stack: ExitStack) -> RunningBroker | None:
        if self._broker_url is not None:
            self._say("broker", f"yours, at {self._broker_url}, under {self._topics.prefix}")
            return None
        broker = private_broker.start()
        self._current = broker
        stack.callback(self._stop_broker)
        self._say("broker", f"{broker.engine} at {broker.url}")
        return broker

    def _stop_broker(self) -> None:
        self._current.stop()

    def _write_configs(self, folder: Path, made: recipe.Recipe, models: dict[str, str]) -> None:
        for device, share in made.shares.items():
            images = folder / f"{device}.npy"
            images.write_bytes(recipe.images_file(share))
            names = self._runtimes_of(device, models)
            chosen = {name: models[name] for name in names}
            text = recipe.config_toml(names[0], chosen, str(images), self._board)
            (folder / f"{device}.toml").write_text(text, encoding="utf-8")

    @contextmanager
    def _running(self, folder: Path, broker_url: str, agents_port: int) -> Iterator[None]:
        prefix = self._topics.prefix
        try:
            self._processes.append(processes.aggregator(broker_url, prefix, folder))
            for device in self._devices:
                url, config = f"mqtt://127.0.0.1:{agents_port}", folder / f"{device}.toml"
                self._processes.append(processes.agent(device, url, prefix, folder, config))
            yield
        finally:
            for each in reversed(self._processes):
                each.ask_to_stop()
            for each in self._processes:
                each.wait()

    def _check(self) -> None:
        for each in self._processes:
            each.check()

    def _wait_online(self, watcher: Watcher, tally: Tally) -> None:
        began = time.monotonic()

        def all_serve() -> bool:
            names = {one: [name for _, name in tally.streams_of(one)] for one in self._devices}
            return all(watcher.runs(device, own) for device, own in names.items())

        if not watcher.wait_until(all_serve, ONLINE_TIMEOUT_S, self._check):
            raise LinkError(f"not every agent came online within {ONLINE_TIMEOUT_S:.0f} s")
        runtimes = {
            f"{one.runtime}" for s in watcher.status.values() for one in s.pipelines.values()
        }
        self._say(
            "agents",
            f"{', '.join(self._devices)} online and serving after"
            f" {time.monotonic() - began:.1f} s, with {', '.join(sorted(runtimes))}",
        )

    def _change_threshold(self, watcher: Watcher, tally: Tally) -> None:
        began = time.monotonic()
        version = int(time.time())
        key = {"postprocess": {"threshold": recipe.THRESHOLD_AFTER}}
        watcher.desire({"version": version, "pipelines": {recipe.LEARNER: key}})

        def applied() -> int:
            return sum(
                report.fleet_version == version and not report.errors
                for report in watcher.reported.values()
            )

        everyone = len(self._devices)
        done = watcher.wait_until(lambda: applied() == everyone, APPLY_TIMEOUT_S, self._check)
        if not done:
            raise LinkError(f"the change of configuration reached {applied()} of {everyone} agents")
        self._changed_at = {
            stream: max(tally.results.get(stream, {0: None}), default=0)
            for stream in self._learners
        }
        self._say(
            "config",
            f"threshold {recipe.THRESHOLD_BEFORE} → {recipe.THRESHOLD_AFTER} over MQTT; applied by"
            f" {everyone} of {everyone} in {1000 * (time.monotonic() - began):.0f} ms, no restart",
        )

    def _cut(
        self, watcher: Watcher, tally: Tally, cable: TcpProxy, broker: RunningBroker | None
    ) -> None:
        cable.allow(False)
        cable.cut()
        if broker is not None:
            watcher.leave()
            broker.kill()
        time.sleep(CUT_S)
        if broker is not None:
            self._current = private_broker.start(broker.address, broker.engine)
            watcher.connect()
        cable.allow(True)
        what = "broker killed" if broker is not None else "network cut"
        self._say(
            "cut",
            f"{what} after {tally.count} results, amid the learning; back after {CUT_S:.0f} s",
        )

    def _wait_switched(self, watcher: Watcher, tally: Tally, federation: Federation) -> None:
        began = time.monotonic()
        federation.wait_adopted(watcher, self._check)
        took_s = time.monotonic() - began

        def all_answered() -> bool:
            new = tally.models - self._first
            return all(tally.answered(s, new) == len(tally.truth[s]) for s in self._learners)

        if not watcher.wait_until(all_answered, ANSWER_TIMEOUT_S, self._check):
            raise LinkError("the shipped model did not answer all digits in time")
        self._say(
            "switch",
            f"golden samples passed and the new model serves on {len(self._devices)} of"
            f" {len(self._devices)} agents, {took_s:.1f} s after it was shipped; no restart",
        )

    def _wait_for_all(self, watcher: Watcher, tally: Tally) -> None:
        with watcher.still():
            tally.stop()
        watcher.wait_until(lambda: tally.lost == 0, TAIL_S, self._check)
        everyone_measured = time.monotonic() + 1.5
        watcher.wait_until(lambda: time.monotonic() > everyone_measured, 5, self._check)


def _sha256(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _address_of(url: str) -> ListenAddress:
    scheme, _, rest = url.partition("://")
    if scheme != "mqtt" or not rest:
        raise UsageError(f"--broker {url}: the demo speaks to mqtt://HOST[:PORT] only")
    return ListenAddress.parse(rest.rstrip("/"))
