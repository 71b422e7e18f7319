"""Opens a pipeline's model for microcontrollers: its plan, what computes here, what checks."""

from collections.abc import Callable
from pathlib import Path

from agent.config.device import PipelineConfig
from agent.errors import ConfigError, ModelError
from agent.mcu.adapters.plan_source import TARGET, TARGETS, plan_of
from agent.offload.adapters.bridge_devices import BridgeDevices
from agent.offload.model import OffloadedModel
from agent.runtime.adapters.engine_library import can_be_had
from agent.runtime.adapters.host import HostModel
from agent.runtime.adapters.loading import Loaded, Options, load
from agent.runtime.adapters.model_file import read_model
from agent.runtime.plan_file import PlanFile
from agent.runtime.protocol import LoadedModel
from firmware_bridge.bridge.protocol import MAX_TENSOR_BYTES
from firmware_bridge.bridge.variants import Offer


def open_offloaded(
    config: PipelineConfig, options: Options, bridge: Path | None, clock: Callable[[], int]
) -> Loaded:
    """Load a pipeline's model for devices, and for here.

    Raises:
        ConfigError: there is no bridge to ask.
        ModelError: the model has no plan, or one that cannot be shared between devices.
        UnavailableError: this machine lacks the runtime for what is computed here.
    """
    if bridge is None:
        raise ConfigError("runtime mcu is for pipelines of an agent; it has the bridge")
    plan = _plan(config, options.cache)
    output_bytes = sum(record.bytes for _, record in plan.outputs)
    if max(output_bytes, sum(record.bytes for _, record in plan.inputs)) > MAX_TENSOR_BYTES:
        raise ModelError(f"model {config.model}: tensors exceed {MAX_TENSOR_BYTES} bytes")
    referee = _engine(config, plan, options.cache) if can_be_had() else None
    local, sha256, here = _local(config, options, referee)
    offer = Offer.of(plan.data, _special(config, options.cache))
    devices = BridgeDevices(bridge, offer, output_bytes)
    try:
        model = OffloadedModel(plan, devices, local, referee, config.mcu, clock)
    except ModelError as error:
        raise ModelError(f"model {config.model}: {error}") from None
    checked = "" if referee else "; not checked, for no engine here runs the plan"
    return Loaded(model, sha256, f"policy {config.mcu.policy}; {here}{checked}")


def _plan(config: PipelineConfig, cache: Path | None) -> PlanFile:
    """The plan for any device."""
    source = _source(config)
    if source.endswith(".wasm"):
        raise ModelError(f"model {source}: microcontrollers need its plan; name it in mcu.plan")
    plan = plan_of(source, cache).plan
    if plan.has_variables:
        raise ModelError(
            f"model {source}: keeps values from run to run, which cannot be shared between devices;"
            " choose another runtime"
        )
    return plan


def _special(config: PipelineConfig, cache: Path | None) -> dict[int, bytes]:
    """The same model for kernels that want other packing; a plan that was given is for all.

    They are made now, whatever devices there are: one may come later, when this process can read
    no files and start no programs any more.
    """
    source = _source(config)
    if not source.endswith(".tflite"):
        return {}
    special = {number: name for number, name in TARGETS.items() if name != TARGET}
    return {number: plan_of(source, cache, name).plan.data for number, name in special.items()}


def _source(config: PipelineConfig) -> str:
    return config.mcu.plan or config.model


def _engine(config: PipelineConfig, plan: PlanFile, cache: Path | None) -> HostModel | None:
    """Load the plan in this machine's engine; one packed for another is made anew for this."""
    try:
        return HostModel(plan)
    except ModelError:
        if not config.model.endswith(".tflite"):
            return None
    return HostModel(plan_of(config.model, cache).plan)


def _local(
    config: PipelineConfig, options: Options, engine: HostModel | None
) -> tuple[LoadedModel | None, str, str]:
    """What computes here, the hash of the model, and a word about both."""
    asked = config.mcu.local
    if config.mcu.policy == "only" or (engine is not None and asked in ("auto", "host")):
        sha256 = read_model(config.model).sha256
        if config.mcu.policy == "only":
            return None, sha256, "nothing is computed here"
        return engine, sha256, "here host, with the same bytes"
    found = load(config.model, asked, options)
    return found.model, found.sha256, f"here {found.model.info().runtime}, {found.reason}"
