"""Libraries and programs that are installed; none is loaded."""

import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from importlib.util import find_spec

from agent.doctor.facts import Library
from agent.runtime.adapters.engine_library import can_be_had
from agent.runtime.adapters.installed import POINTER_BITS
from agent.runtime.choose import DISTRIBUTIONS, RUNTIMES


def read_libraries() -> tuple[Library, ...]:
    """List every library that can provide a runtime, installed or not."""
    return tuple(
        Library(runtime.name, name, installed_version(name), runtime.remedy)
        for runtime in RUNTIMES
        for name in runtime.libraries
        if runtime.bits <= POINTER_BITS
    ) + tuple(
        Library(
            runtime.name, "engine", platform.machine() if can_be_had() else None, runtime.remedy
        )
        for runtime in RUNTIMES
        if not runtime.libraries
    )


def installed_version(name: str) -> str | None:
    """Return the version of an import package; empty if it does not say, None if not installed."""
    try:
        if find_spec(name) is None:
            return None
        return version_of(DISTRIBUTIONS.get(name, name))
    except (PackageNotFoundError, ImportError, ValueError):
        return ""


def read_brokers() -> dict[str, str]:
    """Return the brokers that can be started here, with version or path."""
    brokers = {}
    # Debian has it where only root looks for programs.
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is not None:
        brokers["mosquitto"] = _mosquitto_version(program) or program
    amqtt = installed_version("amqtt")
    if amqtt is not None:
        brokers["amqtt"] = amqtt
    return brokers


def _mosquitto_version(program: str) -> str:
    try:
        words = subprocess.run(
            (program, "-h"), check=False, capture_output=True, timeout=5, text=True
        ).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return ""
    return words[words.index("version") + 1] if "version" in words[:-1] else ""
