"""The demo: a broker and agents as real processes, a change of configuration, a cut, a count."""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits
from tqdm import tqdm

from broker.adapters import private_broker
from broker.adapters.listen_address import ListenAddress
from broker.adapters.private_broker import RunningBroker
from broker.adapters.tcp_proxy import TcpProxy
from broker.demo import recipe
from broker.demo.adapters.agents import AgentProcess
from broker.demo.adapters.board import EmulatedBoard
from broker.demo.adapters.wasm_model import module_of, runtimes
from broker.demo.adapters.watcher import Watcher
from broker.demo.tally import Stream, Tally, report
from broker.errors import LinkError, UsageError
from toolchain.digits.adapters import scikit
from toolchain.digits.training import EPOCHS
from toolchain.errors import ToolchainError

ONLINE_TIMEOUT_S = 30.0
APPLY_TIMEOUT_S = 15.0
CUT_S = 3.0
CUT_AFTER = 0.35
TAIL_S = 20.0

Say = Callable[[str, str], None]


class Demo:
    """One run; `say` gets a topic and a line for people."""

    def __init__(self, agents: int, broker_url: str | None, say: Say) -> None:
        self._devices = [f"demo-{number + 1}" for number in range(agents)]
        self._broker_url = broker_url
        self._say = say
        self._agents: list[AgentProcess] = []
        self._board: recipe.Board | None = None

    def run(self) -> dict[str, Any]:
        """Play everything and return the figures; nothing is left running or lying about."""
        began = time.monotonic()
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="selvedge-demo-")))
            emulated = EmulatedBoard()
            stack.callback(emulated.stop)
            broker = self._start_broker(stack)
            address = _address_of(self._broker_url or self._current.url)
            made = self._train()
            models = self._write_models(folder, made.model)
            self._board = emulated.with_plan(folder / "digits.plan", made.model, self._say)
            if self._board is not None:
                models[recipe.MCU] = models["tflite"]
            tally = Tally(
                {
                    Stream(device, recipe.pipeline_of(runtime)): share.labels.tolist()
                    for device, share in made.shares.items()
                    for runtime in self._models_of(device, models)
                }
            )
            cable = stack.enter_context(TcpProxy(address.port, target_host=address.host))
            watcher = Watcher(address, tally)
            watcher.connect()
            stack.callback(watcher.leave)
            if broker is None:
                stack.callback(watcher.forget)
            stack.enter_context(self._running_agents(folder, made, models, cable.port))
            self._wait_online(watcher, tally)
            self._change_threshold(watcher, tally)
            self._cut(watcher, tally, cable, broker)
            self._wait_for_all(watcher, tally)
            return self._report(tally, began)

    def _train(self) -> recipe.Recipe:
        began = time.monotonic()
        quiet = not sys.stderr.isatty()
        with (
            threadpool_limits(1),
            tqdm(total=EPOCHS, desc="training", leave=False, disable=quiet) as bar,
        ):
            made = recipe.prepare(scikit.load(), self._devices, lambda _: bar.update())
        self._say(
            "model",
            f"a CNN learned handwritten digits in {time.monotonic() - began:.1f} s;"
            f" {100 * made.accuracy:.1f} % on held-out ones; {len(made.model) / 1024:.1f} kB int8",
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
            f"the same model as a sealed module of {len(module) / 1024:.1f} kB, converted in"
            f" {took_ms:.0f} ms",
        )
        for line in lacking:
            self._say("wasm", line)
        return {name: str(path) for name, path in (models | dict.fromkeys(names, path)).items()}

    def _models_of(self, device: str, models: dict[str, str]) -> dict[str, str]:
        """The first device runs its digits under every runtime, the others under the first."""
        return models if device == self._devices[0] else dict([next(iter(models.items()))])

    def _start_broker(self, stack: ExitStack) -> RunningBroker | None:
        if self._broker_url is not None:
            self._say("broker", f"yours, at {self._broker_url}")
            return None
        broker = private_broker.start()
        self._current = broker
        stack.callback(self._stop_broker)
        self._say("broker", f"{broker.engine} at {broker.url}")
        return broker

    def _stop_broker(self) -> None:
        self._current.stop()

    @contextmanager
    def _running_agents(
        self, folder: Path, made: recipe.Recipe, models: dict[str, str], port: int
    ) -> Iterator[None]:
        try:
            for device, share in made.shares.items():
                images = folder / f"{device}.npy"
                images.write_bytes(recipe.images_file(share))
                config = folder / f"{device}.toml"
                config.write_text(
                    recipe.config_toml(self._models_of(device, models), str(images), self._board),
                    encoding="utf-8",
                )
                url = f"mqtt://127.0.0.1:{port}"
                self._agents.append(AgentProcess(device, url, folder, config))
            yield
        finally:
            for agent in self._agents:
                agent.ask_to_stop()
            for agent in self._agents:
                agent.wait()

    def _check_agents(self) -> None:
        for agent in self._agents:
            agent.check()

    def _wait_online(self, watcher: Watcher, tally: Tally) -> None:
        began = time.monotonic()

        def all_serve() -> bool:
            return all(
                (status := watcher.status.get(device)) is not None
                and all(
                    name in status.pipelines and status.pipelines[name].state == "running"
                    for _, name in tally.streams_of(device)
                )
                for device in self._devices
            )

        if not watcher.wait_until(all_serve, ONLINE_TIMEOUT_S, self._check_agents):
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
        common = tally.streams_of(self._devices[0])[0].pipeline
        watcher.desire({"version": version, "pipelines": {common: key}})

        def applied() -> int:
            return sum(
                report.fleet_version == version and not report.errors
                for report in watcher.reported.values()
            )

        everyone = len(self._devices)
        done = watcher.wait_until(
            lambda: applied() == everyone, APPLY_TIMEOUT_S, self._check_agents
        )
        if not done:
            raise LinkError(f"the change of configuration reached {applied()} of {everyone} agents")
        self._changed_at = {
            stream: max(tally.results.get(stream, {0: None}), default=0)
            for stream in tally.truth
            if stream.pipeline == common
        }
        self._say(
            "config",
            f"threshold {recipe.THRESHOLD_BEFORE} → {recipe.THRESHOLD_AFTER} over MQTT; applied by"
            f" {everyone} of {everyone} in {1000 * (time.monotonic() - began):.0f} ms, no restart",
        )

    def _cut(
        self, watcher: Watcher, tally: Tally, cable: TcpProxy, broker: RunningBroker | None
    ) -> None:
        enough = int(CUT_AFTER * tally.expected)
        watcher.wait_until(lambda: tally.count >= enough, TAIL_S, self._check_agents)
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
        self._say("cut", f"{what} after {tally.count} results, back after {CUT_S:.0f} s")

    def _wait_for_all(self, watcher: Watcher, tally: Tally) -> None:
        with tqdm(
            total=tally.expected, desc="results", leave=False, disable=not sys.stderr.isatty()
        ) as bar:

            def idle() -> None:
                self._check_agents()
                bar.update(tally.count - bar.n)

            seconds_left = max(map(len, tally.truth.values())) / recipe.RATE_HZ
            watcher.wait_until(lambda: tally.lost == 0, seconds_left + TAIL_S, idle)
        everyone_measured = time.monotonic() + 1.5
        watcher.wait_until(lambda: time.monotonic() > everyone_measured, 5, self._check_agents)

    def _report(self, tally: Tally, began: float) -> dict[str, Any]:
        held_back = sum(
            tally.held_back(stream, since) for stream, since in self._changed_at.items()
        )
        skipped = sum(tally.skipped.values())
        self._say(
            "results",
            f"{tally.expected - tally.lost - skipped} of {tally.expected} inputs answered,"
            f" {tally.lost} lost{f', {skipped} let pass by a busy machine' if skipped else ''};"
            f" {tally.late} waited in an outbox, {tally.duplicates} came twice and count once",
        )
        self._say(
            "accuracy",
            f"{100 * tally.accuracy():.1f} % right; after the change {held_back} answers were"
            f" below the threshold of {recipe.THRESHOLD_AFTER}",
        )
        same, both = tally.agreed(self._devices[0])
        names = [each.pipeline.partition("-")[2] for each in tally.streams_of(self._devices[0])]
        if len(names) > 1:
            self._say(
                "runtimes",
                f"{same} of {both} digits of {self._devices[0]} got the same label under"
                f" {', '.join(names[:-1])} and {names[-1]}",
            )
        if self._board is not None:
            there, total = tally.on_mcu(Stream(self._devices[0], recipe.pipeline_of(recipe.MCU)))
            self._say("mcu", f"{there} of {total} were computed there, the others by this machine")
        for line in report(tally):
            self._say("", line)
        peak = max(map(tally.device_rss_bytes, self._devices), default=0)
        return {
            "results": tally.expected - tally.lost - skipped,
            "lost": tally.lost,
            "late": tally.late,
            "accuracy": round(tally.accuracy(), 4),
            "runtimes": sorted(tally.runtimes),
            "same_labels": same == both,
            "peak_rss_mb": round(peak / 2**20, 1),
            "seconds": round(time.monotonic() - began, 1),
        }


def _address_of(url: str) -> ListenAddress:
    scheme, _, rest = url.partition("://")
    if scheme != "mqtt" or not rest:
        raise UsageError(f"--broker {url}: the demo speaks to mqtt://HOST[:PORT] only")
    return ListenAddress.parse(rest.rstrip("/"))
