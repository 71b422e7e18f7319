"""What stands on each side of a comparison: a runtime, and how it is asked to compute."""

from dataclasses import dataclass, replace

from toolchain.convert.convert import ROUNDINGS, TARGETS, Choices

DELEGATES = ("none", "reference")
CONVERTED = {"wasm3": "wasm", "wasmtime": "wasm", "host": "plan"}
"""Runtimes that want the model converted, and into what."""


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
    choices = Choices(rounding)
    for option in options:
        if option in ROUNDINGS:
            choices = replace(choices, rounding=option)
        elif option in TARGETS and runtime != "host":
            choices = replace(choices, target=option)
        else:
            raise ValueError(f"{word!r}: {runtime} has no option {option!r}")
    if runtime == "wasm3" and choices.target != "scalar":
        raise ValueError(f"{word!r}: wasm3 has no SIMD; compare wasmtime:{choices.target}")
    return Variant(word, runtime, choices)
