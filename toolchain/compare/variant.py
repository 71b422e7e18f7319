"""What stands on each side of a comparison: a runtime, and how it is asked to compute."""

from dataclasses import dataclass, replace

from toolchain.convert.convert import ROUNDINGS, Choices

DELEGATES = ("none", "reference")
CONVERTED = {"wasm3": "wasm", "wasmtime": "wasm", "host": "plan"}
"""Runtimes that want the model converted, and into what."""

_TARGETS = {"wasm3": ("scalar",), "wasmtime": ("scalar", "simd"), "host": ("portable",)}
"""What a runtime's file is made for; the first unless the user chooses."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One side.

    Attributes:
        name: as the user wrote it.
        choices: how the model is converted; None where the .tflite itself is run.
        delegate: of the TFLite interpreter.
    """

    name: str
    runtime: str
    choices: Choices | None
    delegate: str = "xnnpack"

    @property
    def suffix(self) -> str:
        """Of the file that this side runs."""
        return CONVERTED.get(self.runtime, "tflite")


def parse(word: str, rounding: str) -> Variant:
    """Read `tflite[:none|:reference]` or `RUNTIME[:double|:single][:scalar|:simd]`.

    Args:
        rounding: for a converted model whose word names none.

    Raises:
        ValueError: unknown; the text says what is known.
    """
    runtime, *options = word.split(":")
    if runtime == "tflite" and len(options) <= 1 and set(options) <= set(DELEGATES):
        return Variant(word, runtime, None, *options)
    if runtime not in CONVERTED or len(set(options)) != len(options):
        raise ValueError(f"{word!r} is not tflite, {', '.join(CONVERTED)} with options behind ':'")
    choices = Choices(rounding, _TARGETS[runtime][0])
    for option in options:
        if option in ROUNDINGS:
            choices = replace(choices, rounding=option)
        elif option in _TARGETS[runtime]:
            choices = replace(choices, target=option)
        else:
            raise ValueError(f"{word!r}: {runtime} has no option {option!r}")
    return Variant(word, runtime, choices)


def parse_pair(words: str, rounding: str) -> tuple[Variant, Variant]:
    """Read the two sides, which a comma parts.

    Raises:
        ValueError: not two, or one of them is unknown.
    """
    sides = [word.strip() for word in words.split(",")]
    if len(sides) != 2:
        raise ValueError("name two, as in tflite,wasm3")
    return parse(sides[0], rounding), parse(sides[1], rounding)
