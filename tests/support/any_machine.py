"""What tests ask of a machine, be it in namespaces or emulated."""

import subprocess
from typing import Protocol


class AnyMachine(Protocol):
    """Where programs run, as root."""

    def run(self, *command: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a program to its end."""


def must(machine: AnyMachine, *command: str, timeout_s: float = 120) -> str:
    """Run a program that must not fail; what it printed."""
    ran = machine.run(*command, timeout_s=timeout_s)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    return ran.stdout


def write(machine: AnyMachine, path: str, text: str) -> None:
    """Write a small file."""
    must(machine, "sh", "-c", 'printf %s "$1" >"$2"', "sh", text, path)
