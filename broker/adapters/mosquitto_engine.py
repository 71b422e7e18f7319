"""A private mosquitto: one listener, everybody welcome, every queue bounded."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from broker.adapters.engine_process import EngineProcess, setpriv, unprivileged_account
from broker.adapters.listen_address import ListenAddress
from broker.errors import ConfigError, LinkError
from broker.init.limits import MAX_PACKET_BYTES

MAX_INFLIGHT_MESSAGES = 64
"""Unacknowledged messages towards one subscriber; mosquitto's own 20 idles on long links."""

MAX_QUEUED_MESSAGES = 100_000
MAX_QUEUED_BYTES = 64 * 1024 * 1024
"""What waits for one slow subscriber; beyond either bound mosquitto drops without a word."""

AUTOSAVE_S = 30
"""With a state folder: a crash forgets at most this much of what was retained."""

_MORE_PATHS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")


def find_mosquitto() -> str | None:
    """The path of the program; Debian keeps it where users do not look."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_MORE_PATHS))
    return shutil.which("mosquitto", path=path)


def private_config(address: ListenAddress, state: Path | None) -> str:
    """The text of a mosquitto.conf for 2.0 and newer."""
    lines = [
        f"listener {address.port} {address.host}",
        "allow_anonymous true",
        f"max_packet_size {MAX_PACKET_BYTES}",
        f"max_inflight_messages {MAX_INFLIGHT_MESSAGES}",
        f"max_queued_messages {MAX_QUEUED_MESSAGES}",
        f"max_queued_bytes {MAX_QUEUED_BYTES}",
        "persistent_client_expiration 1d",
        "set_tcp_nodelay true",
        "sys_interval 0",
        "connection_messages false",
        "log_dest stderr",
        "log_timestamp false",
    ]
    if state is not None:
        lines += [
            "persistence true",
            f"persistence_location {state}",
            f"autosave_interval {AUTOSAVE_S}",
        ]
    return "\n".join(lines) + "\n"


def start_mosquitto(
    program: str, address: ListenAddress, state: Path | None = None
) -> tuple[EngineProcess, Path]:
    """Start mosquitto; return its process and the temporary folder of its configuration.

    Raises:
        ConfigError: the state folder cannot be used.
        LinkError: mosquitto does not start.
    """
    account = unprivileged_account()
    if state is not None:
        state = state.absolute()
        _prepare_state(state, account)
    folder = Path(tempfile.mkdtemp(prefix="selvedge-broker-"))
    try:
        config = folder / "mosquitto.conf"
        config.write_text(private_config(address, state))
        _give(account, folder, config)
        return EngineProcess([program, "-c", str(config)], account), folder
    except (OSError, LinkError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, LinkError):
            raise
        raise LinkError(f"cannot write a configuration for mosquitto: {error}") from error


def _prepare_state(state: Path, account: pwd.struct_passwd | None) -> None:
    if not str(state).isprintable():
        raise ConfigError(f"state folder {str(state)!r} is no path for a configuration file")
    try:
        if not state.exists():
            state.mkdir(parents=True, mode=0o700)
            _give(account, state)
        if not state.is_dir():
            raise ConfigError(f"state folder {state} is not a folder")
    except OSError as error:
        raise ConfigError(f"state folder {state} cannot be made: {error.strerror}") from error
    if not _can_write(state, account):
        name = "you" if account is None else f"user {account.pw_name}"
        raise ConfigError(
            f"state folder {state}: mosquitto runs as {name}, who cannot write there; "
            "name another folder, or change its owner"
        )


def _can_write(folder: Path, account: pwd.struct_passwd | None) -> bool:
    become = setpriv(account)
    if account is None or not become:
        return os.access(folder, os.W_OK | os.X_OK)
    test = [*become, "test", "-w", str(folder), "-a", "-x", str(folder)]
    return subprocess.run(test, check=False).returncode == 0


def _give(account: pwd.struct_passwd | None, *paths: Path) -> None:
    if account is not None:
        for path in paths:
            os.chown(path, account.pw_uid, account.pw_gid)
