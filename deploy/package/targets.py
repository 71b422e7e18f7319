"""For whom packages are built: a release of Debian, and an architecture."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Suite:
    """A release of Debian.

    Attributes:
        release: its number.
        python: version of its `python3`.
        glibc_minor: of 2.x; wheels for newer ones cannot be used.
    """

    name: str
    release: int
    python: str
    glibc_minor: int


@dataclass(frozen=True, slots=True)
class Architecture:
    """A kind of machine.

    Attributes:
        machine: what `platform.machine()` says there.
        triplet: Debian's name of it in paths.
        zig: the compiler's name of it.
    """

    debian: str
    machine: str
    triplet: str
    zig: str


SUITES = {
    suite.name: suite
    for suite in (Suite("bookworm", 12, "3.11", 36), Suite("trixie", 13, "3.13", 41))
}
ARCHITECTURES = {
    architecture.debian: architecture
    for architecture in (
        Architecture("amd64", "x86_64", "x86_64-linux-gnu", "x86_64-linux-gnu"),
        Architecture("arm64", "aarch64", "aarch64-linux-gnu", "aarch64-linux-gnu"),
    )
}


def platforms(suite: Suite, architecture: Architecture) -> list[str]:
    """Tags of the wheels that run there, best first (PEP 600)."""
    newest = [
        f"manylinux_2_{minor}_{architecture.machine}" for minor in range(suite.glibc_minor, 16, -1)
    ]
    return [*newest, f"manylinux2014_{architecture.machine}"]
