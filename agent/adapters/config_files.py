"""Configuration files and where the agent keeps its state, by the conventions of the machine."""

import os
import socket
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from agent.config.layers import Tree
from agent.errors import ConfigError
from broker.contract.topics import is_name

SYSTEM_FOLDER = Path("/etc/selvedge")
SYSTEM_STATE = Path("/var/lib/selvedge")
MAX_FILE_BYTES = 1024 * 1024


def read_files(explicit: Iterable[str]) -> list[tuple[str, Tree]]:
    """Read the files that the command line names, else `/etc/selvedge/*.toml` in order of name.

    Raises:
        ConfigError: a file cannot be read or is not TOML; the text names it.
    """
    paths = [Path(path) for path in explicit] or sorted(SYSTEM_FOLDER.glob("*.toml"))
    return [(str(path), _read(path)) for path in paths]


def state_folder(configured: str | None, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the configured folder, systemd's, the system's for root, or the user's."""
    if configured is not None:
        return Path(configured)
    if folder := environment.get("STATE_DIRECTORY"):
        return Path(folder.split(":")[0])
    if os.geteuid() == 0:
        return SYSTEM_STATE
    home = environment.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(home) / "selvedge"


def default_device_id() -> str:
    """Return the host name as a device id.

    Raises:
        ConfigError: the host name cannot be one.
    """
    name = socket.gethostname().split(".")[0].lower()
    if not is_name(name):
        raise ConfigError(f"host name {name!r} cannot be a device id; set device_id")
    return name


def _read(path: Path) -> Tree:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise ConfigError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
        return tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name a configuration file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8: byte {error.start}") from None
    except RecursionError:
        raise ConfigError(f"{path}: is nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from None
