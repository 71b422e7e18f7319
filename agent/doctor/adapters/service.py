"""The agent as a service of this machine."""

import subprocess

from agent.doctor.facts import Service

NAME = "selvedge-agent"
PROPERTIES = (
    *("LoadState", "ActiveState", "SubState", "NRestarts", "Result"),
    "SupplementaryGroups",
)


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
    state = shown.get("ActiveState", "")
    # systemd calls it activating all the while: as it waits for its next try, and in that try.
    is_waiting, tries = shown.get("SubState") == "auto-restart", shown.get("NRestarts", "0")
    is_started_again = is_waiting or (state == "activating" and tries != "0")
    return Service(name, state, is_started_again, shown.get("Result", ""), groups)
