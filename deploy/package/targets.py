"""For whom packages are built: a release of Debian, and an architecture."""

from collections.abc import Mapping
from dataclasses import dataclass, field


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
        of_debian: Debian's packages of what has no wheel for such a machine, by its distribution.
    """

    debian: str
    machine: str
    triplet: str
    zig: str
    of_debian: Mapping[str, str] = field(default_factory=dict)


SUITES = {
    suite.name: suite
    for suite in (Suite("bookworm", 12, "3.11", 36), Suite("trixie", 13, "3.13", 41))
}
ARCHITECTURES = {
    architecture.debian: architecture
    for architecture in (
        Architecture("amd64", "x86_64", "x86_64-linux-gnu", "x86_64-linux-gnu"),
        Architecture("arm64", "aarch64", "aarch64-linux-gnu", "aarch64-linux-gnu"),
        Architecture(
            *("armhf", "armv7l", "arm-linux-gnueabihf", "arm-linux-gnueabihf"),
            {
                "numpy": "python3-numpy",
                "pillow": "python3-pil",
                "cffi": "python3-cffi-backend",
            },
        ),
    )
}


def platforms(suite: Suite, architecture: Architecture) -> list[str]:
    """Tags of the wheels that run there, best first (PEP 600)."""
    newest = [
        f"manylinux_2_{minor}_{architecture.machine}" for minor in range(suite.glibc_minor, 16, -1)
    ]
    return [*newest, f"manylinux2014_{architecture.machine}"]
