"""Configuration of the labelled samples that a pipeline keeps on the device to learn from."""

from dataclasses import dataclass
from typing import Annotated, Literal

from agent.config.sources import TOPIC, ShortText
from broker.contract.shape import Doc, Length, Pattern, Range


@dataclass(frozen=True)
class OutcomeConfig:
    """A sensor that says later what an input was: its messages become labels."""

    topic: Annotated[str, Length(256, minimum=1), Pattern(TOPIC, "a topic without wildcards")]
    path: Annotated[
        ShortText | None, Doc("dotted, to the label in JSON; none: the payload is the label")
    ] = None
    label: Annotated[
        Literal["class", "target"], Doc("the name or number of a class, or numbers to predict")
    ] = "class"
    after_s: Annotated[
        float, Range(0, 86_400), Doc("how much later than the input the sensor tells")
    ] = 0.0
    within_s: Annotated[
        float, Range(0.001, 3600), Doc("an input further from that moment is not labelled")
    ] = 1.0


@dataclass(frozen=True)
class SamplesConfig:
    """Bounds of a pipeline's labelled samples; they never leave the device."""

    limit_bytes: Annotated[
        int, Range(2**16, 2**33), Doc("when full, the label with the most samples loses its oldest")
    ] = 16 * 2**20
    per_label: Annotated[int, Range(1, 10**6), Doc("samples; the oldest goes first")] = 500
    max_age_s: Annotated[
        int, Range(60, 10**9), Doc("by the clock; nothing ages while it is not synchronised")
    ] = 90 * 24 * 3600
    recent: Annotated[
        int, Range(0, 1000), Doc("last inputs held in memory, for labels that come later; 0: none")
    ] = 0
    recent_bytes: Annotated[int, Range(2**10, 2**28), Doc("of those, at most")] = 4 * 2**20
    outcome: Annotated[
        OutcomeConfig | None, Doc("a sensor that labels inputs by itself; needs `recent`")
    ] = None
