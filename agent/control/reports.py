"""The messages that the agent sends about itself and its results, built from what it knows."""

from dataclasses import dataclass

from agent.channel.messages import Answer
from agent.control.events import BRIDGE, Now, Readings
from agent.control.mcus import Microcontrollers
from agent.control.pipeline import Pipeline
from agent.control.pipelines import Pipelines
from agent.outbox.outbox import Outbox
from broker.contract.messages import (
    BridgeMetrics,
    Metrics,
    OutboxMetrics,
    PipelineMetrics,
    Result,
    Status,
)


@dataclass(frozen=True)
class Identity:
    """Who this agent is.

    Attributes:
        instance: new with every start, so that two agents under one name notice each other.
        started_ms: monotonic.
    """

    device: str
    instance: str
    version: str
    started_ms: int
    runtimes: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()


def status(identity: Identity, pipelines: Pipelines, mcus: Microcontrollers, now: Now) -> Status:
    """The retained message of an agent that runs."""
    return Status(
        "online",
        instance=identity.instance,
        version=identity.version,
        time_ms=now.unix_ms,
        time_synced=now.synced,
        runtimes=identity.runtimes,
        inputs=identity.inputs,
        mcus=mcus.answering(),
        pipelines={name: pipeline.status() for name, pipeline in pipelines.items().items()},
    )


def farewell(identity: Identity, now: Now, reason: str | None) -> Status:
    """The retained message of an agent that ends in good order."""
    return Status(
        "stopped",
        instance=identity.instance,
        version=identity.version,
        time_ms=now.unix_ms,
        time_synced=now.synced,
        reason=reason and reason[:400],
    )


def will(identity: Identity) -> Status:
    """The retained message that the broker sends when the agent is gone without a word."""
    return Status("offline", instance=identity.instance, version=identity.version)


def result(answer: Answer, pipeline: Pipeline, sequence: int, now: Now) -> Result:
    """A child's answer as it goes out."""
    captured_ms = answer.monotonic_ns // 1_000_000
    age_ms = max(0, now.monotonic_ms - captured_ms)
    return Result(
        sequence=sequence,
        time_ms=max(0, now.unix_ms - age_ms),
        monotonic_ms=captured_ms,
        time_synced=now.synced,
        model=pipeline.ready.model if pipeline.ready else "",
        runtime=answer.runtime or (pipeline.ready.runtime if pipeline.ready else ""),
        outputs=answer.outputs,
        latency=answer.latency,
        input=answer.input,
        mcu=answer.mcu,
    )


@dataclass
class Counters:
    """What the agent counts about the link."""

    connects: int = 0
    rejected: int = 0


def metrics(
    identity: Identity,
    pipelines: Pipelines,
    mcus: Microcontrollers,
    outbox: Outbox,
    counters: Counters,
    readings: Readings,
    now: Now,
) -> Metrics:
    """Numbers about the device's health."""
    return Metrics(
        time_ms=now.unix_ms,
        uptime_s=(now.monotonic_ms - identity.started_ms) // 1000,
        rss_bytes=readings.rss_bytes,
        cpu_percent=readings.cpu_percent,
        written_bytes=readings.written_bytes,
        connects=counters.connects,
        rejected=counters.rejected,
        outbox=OutboxMetrics(outbox.rows, outbox.bytes, outbox.dropped, outbox.healthy),
        temperature_c=readings.temperature_c,
        pipelines={
            name: _pipeline_metrics(pipeline, readings.children.get(name))
            for name, pipeline in pipelines.items().items()
        },
        mcus=mcus.metrics(),
        bridge=_bridge_metrics(mcus, readings.children.get(BRIDGE)),
    )


def _bridge_metrics(
    mcus: Microcontrollers, child: tuple[int, float] | None
) -> BridgeMetrics | None:
    return BridgeMetrics(mcus.restarts, *child) if child else None


def _pipeline_metrics(pipeline: Pipeline, child: tuple[int, float] | None) -> PipelineMetrics:
    rss_bytes, cpu_percent = child if child else (None, None)
    return PipelineMetrics(
        results=pipeline.results,
        frames=pipeline.frames,
        drops=pipeline.drops,
        restarts=pipeline.supervisor.restarts,
        rss_bytes=rss_bytes,
        cpu_percent=cpu_percent,
    )
