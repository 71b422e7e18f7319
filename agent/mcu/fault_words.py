"""The word behind `--fault`: how bad a line is to be."""

from dataclasses import dataclass

from agent.errors import ConfigError
from firmware_bridge.link.faults import FaultRates

_CHANCES = ("corrupt", "drop", "duplicate", "delay", "split")
_NUMBERS = {"delay_ms": 10_000, "seed": 2**32 - 1}


@dataclass(frozen=True, slots=True)
class Damage:
    """What `corrupt=1e-4,seed=7` asks for."""

    rates: FaultRates
    seed: int


def parse(text: str) -> Damage:
    """Read `NAME=VALUE,…`.

    Raises:
        ConfigError: a name or a value that is none.
    """
    chances: dict[str, float] = {}
    numbers = {"delay_ms": FaultRates().delay_ms, "seed": 0}
    for word in text.split(","):
        name, _, value = word.strip().partition("=")
        most = 1 if name in _CHANCES else _NUMBERS.get(name)
        if most is None:
            known = ", ".join((*_CHANCES, *_NUMBERS))
            raise ConfigError(f"--fault: {name!r} is not one of {known}")
        try:
            if name in _CHANCES:
                chances[name] = _bounded(float(value), most)
            else:
                numbers[name] = int(_bounded(int(value), most))
        except ValueError:
            raise ConfigError(f"--fault: {word!r}: a number from 0 to {most} is wanted") from None
    return Damage(FaultRates(**chances, delay_ms=numbers["delay_ms"]), numbers["seed"])


def _bounded(value: float, most: float) -> float:
    if not 0 <= value <= most:
        raise ValueError
    return value
