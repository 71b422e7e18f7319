"""Configuration of the federated jobs that a pipeline's samples serve."""

from dataclasses import dataclass
from typing import Annotated, Literal

from broker.contract.shape import Doc, Length, Pattern, Range

JobPattern = Annotated[
    str,
    Pattern(
        r"[a-z0-9_-]{1,64}|[a-z0-9_-]{0,63}\*", "a job's name, or the beginning of names and *"
    ),
]


@dataclass(frozen=True)
class LearningConfig:
    """Which federated jobs learn from a pipeline's samples, and when the device may train."""

    jobs: Annotated[
        tuple[JobPattern, ...],
        Length(64),
        Doc("names, or beginnings of names such as `digits*`; none: it takes part in nothing"),
    ] = ()
    runtime: Annotated[
        Literal["auto", "wasmtime", "wasm3"], Doc("what runs a job's training code")
    ] = "auto"
    power: Annotated[
        Literal["any", "mains"], Doc("mains: never on a battery that is not being charged")
    ] = "any"
    idle_load: Annotated[
        float | None,
        Range(above=0, maximum=1000),
        Doc("training begins only below this load of a core, averaged over a minute"),
    ] = None
    limit_parameters: Annotated[
        int, Range(1, 2**25), Doc("of a job's model; training takes about 40 bytes for each")
    ] = 2**22
    limit_s: Annotated[float, Range(1, 86_400), Doc("for one training; it is ended then")] = 3600.0
    adopt: Annotated[
        bool, Doc("whether the model that a job ends with replaces this pipeline's, once it passed")
    ] = True

    def serves(self, job: str) -> bool:
        """Whether a job may learn from this pipeline's samples."""
        return any(matches(pattern, job) for pattern in self.jobs)


def matches(pattern: str, job: str) -> bool:
    """Whether a pattern names a job."""
    return job.startswith(pattern[:-1]) if pattern.endswith("*") else job == pattern
