"""The federated part of the demo: files, an aggregator, a job, and what becomes of it."""

import json
from collections.abc import Callable
from pathlib import Path

from broker.contract.federated.round import JobStatus, RoundReport
from broker.demo import recipe
from broker.demo.adapters import processes
from broker.demo.adapters.watcher import Watcher
from broker.errors import LinkError, UnavailableError
from broker.learning.progress import OVER
from toolchain.convert.adapters.prebuilt_engine import load
from toolchain.digits import NETWORK
from toolchain.training.network import read_network
from toolchain.training.trainer import TARGETS, to_trainer

ROUND_TIMEOUT_S = 90.0
OUTCOME_TIMEOUT_S = 60.0
SWITCH_TIMEOUT_S = 60.0
Say = Callable[[str, str], None]
Check = Callable[[], None]


class Federation:
    """One job of all agents; `say` gets a topic and a line for people."""

    def __init__(self, made: recipe.Recipe, rounds: int, folder: Path, say: Say) -> None:
        self._made, self._rounds, self._folder, self._say = made, rounds, folder, say
        self._told = 0

    @property
    def devices(self) -> list[str]:
        """Who takes part."""
        return list(self._made.private)

    def write_files(self) -> None:
        """Write the job and all that it names; the trainer is built here, from our own engine.

        Raises:
            ToolchainError: there is no prebuilt engine.
        """
        network = read_network(NETWORK)
        for target in TARGETS:
            module = to_trainer(network, load(f"trainer-{target}"), "digits", target)
            (self._folder / f"{target}.wasm").write_bytes(module)
        (self._folder / "network.json").write_text(json.dumps(NETWORK))
        (self._folder / "start.f32").write_bytes(self._made.parameters)
        calibration = recipe.calibration_file(self._made.calibration)
        (self._folder / "calibration.npy").write_bytes(calibration)
        job = recipe.job(len(self.devices), self._rounds)
        (self._folder / "job.json").write_text(json.dumps(job))

    def deal(self, config_of: Callable[[str], Path]) -> None:
        """Put each device's own digits into its store.

        Raises:
            UnavailableError: a command failed.
        """
        imports = []
        for device, share in self._made.private.items():
            samples = self._folder / f"{device}.npz"
            samples.write_bytes(recipe.samples_file(share))
            words = (device, recipe.LEARNER, samples, self._folder, config_of(device))
            imports.append(processes.importing(*words))
        for each in imports:
            each.finish()
        for device, share in self._made.private.items():
            self._say("samples", f"{device} alone has {recipe.classes_of(share)}")

    def start(self, broker_url: str, prefix: str) -> None:
        """Start the job, as an operator does.

        Raises:
            UnavailableError: it was refused.
        """
        files = self._folder / "job.json", self._folder / "calibration.npy"
        processes.starting(*files, broker_url, prefix, self._folder).finish()
        self._say(
            "job",
            f"{self._rounds} rounds of FedAvg, int8 updates; the trainer is wasm without imports",
        )

    def wait_round(self, watcher: Watcher, number: int, check: Check) -> JobStatus:
        """Wait until so many rounds have made a model; tell of each."""

        def news() -> bool:
            self._tell(watcher.job)
            job = watcher.job
            return job is not None and (len(job.history) >= number or job.state in OVER)

        if not watcher.wait_until(news, ROUND_TIMEOUT_S * number, check):
            raise LinkError(f"round {number} did not close in time")
        assert watcher.job is not None
        if watcher.job.state in OVER and watcher.job.state != "done":
            raise UnavailableError(f"the job {watcher.job.state}: {watcher.job.reason}")
        return watcher.job

    def wait_shipped(self, watcher: Watcher, check: Check) -> JobStatus:
        """Wait until the outcome is shipped."""

        def over() -> bool:
            return watcher.job is not None and watcher.job.state in OVER

        if not watcher.wait_until(over, OUTCOME_TIMEOUT_S, check):
            raise LinkError("the aggregator did not ship the model in time")
        job = watcher.job
        assert job is not None
        if not job.shipped:
            raise UnavailableError(f"the model was not shipped: {job.reason}")
        return job

    def wait_adopted(self, watcher: Watcher, check: Check) -> None:
        """Wait until every device serves what was shipped."""

        def serves(device: str) -> bool:
            status = watcher.status.get(device)
            pipeline = None if status is None else status.pipelines.get(recipe.LEARNER)
            shipped = None if pipeline is None else pipeline.shipped
            return shipped is not None and shipped.job == recipe.JOB

        everyone = self.devices
        done = watcher.wait_until(lambda: all(map(serves, everyone)), SWITCH_TIMEOUT_S, check)
        if not done:
            lacking = ", ".join(device for device in everyone if not serves(device))
            raise LinkError(f"the shipped model does not serve on {lacking}")

    def _tell(self, job: JobStatus | None) -> None:
        for report in () if job is None else job.history[self._told :]:
            self._told += 1
            self._say("round", f"{report.number} of {self._rounds}: {_brought(report)}")


def _brought(report: RoundReport) -> str:
    parts = [f"{report.updates} updates, {report.bytes / 1000:.1f} kB, {report.seconds:.1f} s"]
    if report.accuracy is not None:
        # Devices judge the model that a round begins with.
        parts.append(f"it began with {100 * report.accuracy:.1f} % on what devices held out")
    return "; ".join(parts)
