"""What an `Annotated` field may say about its values beyond their type."""

import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Range:
    """A number lies between `minimum` and `maximum`, both included unless `above` is set."""

    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None

    def broken_by(self, value: Any) -> str | None:
        """Say how `value` breaks the bound, or None."""
        if self.above is not None and not value > self.above:
            return f"must be above {_number(self.above)}, got {_number(value)}"
        if self.minimum is not None and not value >= self.minimum:
            return f"must be at least {_number(self.minimum)}, got {_number(value)}"
        if self.maximum is not None and not value <= self.maximum:
            return f"must be at most {_number(self.maximum)}, got {_number(value)}"
        return None

    def schema(self, kind: str) -> dict[str, Any]:
        """Keywords of JSON Schema for a value of JSON type `kind`."""
        keywords = {
            "minimum": self.minimum,
            "maximum": self.maximum,
            "exclusiveMinimum": self.above,
        }
        return {key: bound for key, bound in keywords.items() if bound is not None}


@dataclass(frozen=True)
class Length:
    """A string, list or object has between `minimum` and `maximum` characters, items or keys."""

    maximum: int
    minimum: int = 0

    def broken_by(self, value: Any) -> str | None:
        """Say how the length of `value` breaks the bound, or None."""
        if self.minimum <= len(value) <= self.maximum:
            return None
        return f"must have {self.minimum} to {self.maximum} entries, has {len(value)}"

    def schema(self, kind: str) -> dict[str, Any]:
        """Keywords of JSON Schema for a value of JSON type `kind`."""
        suffix = {"string": "Length", "array": "Items", "object": "Properties"}[kind]
        return {f"min{suffix}": self.minimum, f"max{suffix}": self.maximum}


@dataclass(frozen=True)
class Pattern:
    """A whole string matches the regular expression `regex`; `meaning` says it in words."""

    regex: str
    meaning: str

    def broken_by(self, value: Any) -> str | None:
        """Say that `value` does not match, or None."""
        if re.fullmatch(self.regex, value):
            return None
        return f"must be {self.meaning}, got {shorten(value)}"

    def schema(self, kind: str) -> dict[str, Any]:
        """Keywords of JSON Schema for a value of JSON type `kind`."""
        return {"pattern": f"^(?:{self.regex})$", "$comment": self.meaning}


@dataclass(frozen=True)
class Doc:
    """One line for people who read the schema or the reference."""

    text: str

    def broken_by(self, value: Any) -> str | None:
        """Never: words do not bound."""
        return None

    def schema(self, kind: str) -> dict[str, Any]:
        """Keywords of JSON Schema."""
        return {"description": self.text}


Constraint = Range | Length | Pattern | Doc


def _number(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return shorten(int(value) if whole else value)


def shorten(value: object, limit: int = 40) -> str:
    """`repr` of a foreign value, cut so that it fits a one-line message."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # thousands of digits, or of brackets
        text = f"a very long {type(value).__name__}"
    return text if len(text) <= limit else text[: limit - 1] + "…"
