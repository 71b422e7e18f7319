"""The agent as a service of this machine."""

import subprocess

from agent.doctor.facts import Service

NAME = "selvedge-agent"
PROPERTIES = ("LoadState", "ActiveState", "Result", "SupplementaryGroups")


def read_service(name: str = NAME) -> Service | None:
    """Ask systemd; None where there is no systemd, or no such service."""
    words = ["systemctl", "show", "--property", ",".join(PROPERTIES), f"{name}.service"]
    try:
        told = subprocess.run(words, check=False, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    shown = dict(line.partition("=")[::2] for line in told.stdout.splitlines())
    if shown.get("LoadState") != "loaded":
        return None
    groups = frozenset(shown.get("SupplementaryGroups", "").split())
    return Service(name, shown.get("ActiveState", ""), shown.get("Result", ""), groups)
