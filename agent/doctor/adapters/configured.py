"""What the agent of this machine is configured to use, and what of it is not there."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.adapters.config_files import SYSTEM_FOLDER, read_files, state_folder
from agent.adapters.credentials import PREFIX, VARIABLE
from agent.adapters.state_folder import read_remembered
from agent.config.device import BrokerConfig, DeviceConfig
from agent.config.layers import admit
from agent.config.local import from_environment, stack
from agent.config.sources import SerialSource, V4l2Source
from agent.control.shadow import recall
from agent.doctor.facts import Configuration, Lack
from agent.errors import ConfigError, ModelError, StorageError, UnavailableError

HANDED_OVER = "mqtt_"
"""What the unit of the service puts before the names of the files in `CREDENTIALS`."""

CREDENTIALS = SYSTEM_FOLDER / "credentials"


def read_configuration(
    explicit: list[str], state: str | None = None, environment: Mapping[str, str] = os.environ
) -> tuple[Configuration | None, DeviceConfig | None]:
    """Read it as the agent would, with what was set over MQTT.

    Args:
        explicit: files; those of the system if empty.
        state: the folder in which an agent keeps what was set; the configured one if None.

    Returns:
        Both None without a file, the second None where the configuration is refused.
    """
    try:
        files = read_files(explicit)
        if not files:
            return None, None
        layers, config = stack(files, from_environment(environment), {})
    except ConfigError as error:
        return Configuration((), str(error), ()), None
    folder = state_folder(state or config.state_dir)
    with contextlib.suppress(StorageError):  # only root can enter the service's
        config = admit(layers, recall(read_remembered(folder)).accepted, {}).config
    names = tuple(name for name, _ in files)
    return Configuration(names, None, tuple(_lacks(config))), config


def credentials_of(
    config: BrokerConfig, environment: Mapping[str, str] = os.environ
) -> dict[str, str | None]:
    """Where `ca`, `cert` and `key` lie for one who is not the service."""
    return {name: _place(getattr(config, name), environment) for name in ("ca", "cert", "key")}


def password_of(
    config: BrokerConfig, environment: Mapping[str, str] = os.environ
) -> tuple[str, str] | None:
    """The user's name and password; None where none is configured or it cannot be read."""
    if config.username is None:
        return None
    place = _place(config.password_file, environment)
    try:
        return config.username, Path(place).read_text("utf-8").rstrip("\n") if place else ""
    except (OSError, UnicodeDecodeError):
        return config.username, ""


def _place(path: str | None, environment: Mapping[str, str]) -> str | None:
    if path is None or not path.startswith(PREFIX):
        return path
    name = path.removeprefix(PREFIX)
    if folder := environment.get(VARIABLE):
        return str(Path(folder, name))
    return str(CREDENTIALS / name.removeprefix(HANDED_OVER))


def _lacks(config: DeviceConfig) -> Iterator[Lack]:
    for name, mcu in config.mcus.items():
        if mcu.port is not None:
            yield from _port(f"mcus.{name}.port", mcu.port)
    for name, pipeline in config.pipelines.items():
        if not pipeline.enabled:
            continue
        match pipeline.source:
            case SerialSource(port=port):
                yield from _port(f"pipelines.{name}.source.port", port)
            case V4l2Source(device=device) if device != "auto" and not Path(device).exists():
                key = f"pipelines.{name}.source.device"
                yield Lack(key, f"{device} is not there", "plug the camera in, or write auto")
        yield from _model(name, pipeline.model, pipeline.runtime)


def _port(key: str, port: str) -> Iterator[Lack]:
    if port.startswith("/") and not Path(port).exists():
        remedy = "plug the device in, or write the port under which 'input' lists it"
        yield Lack(key, f"{port} is not there", remedy)


def _model(pipeline: str, path: str, runtime: str) -> Iterator[Lack]:
    from agent.runtime.adapters.loading import needs

    key = f"pipelines.{pipeline}.model"
    try:
        if runtime != "mcu":
            needs(path, runtime)
    except ModelError as error:
        yield Lack(key, str(error), "copy the model there, or write where it is")
    except UnavailableError as error:
        remedy = "install what it names, or convert the model for a runtime that is listed here"
        yield Lack(key, str(error), remedy)
