"""From decoded JSON to typed values, collecting every fault with its path."""

import dataclasses
import types
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints, overload

from broker.contract.shape.constraints import Constraint, shorten

Path = tuple[str, ...]
Parsed = TypeVar("Parsed")
Unknown = Literal["refuse", "ignore"]

MAX_FAULTS = 64
"""As many are kept; a hostile document holds a hundred thousand."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong in a document: where, and what would be right."""

    path: Path
    text: str

    def __str__(self) -> str:
        keys = (key if key.isprintable() and len(key) <= 64 else shorten(key) for key in self.path)
        return f"{'.'.join(keys) or 'document'}: {self.text}"


class _Refused:
    """Stands for a value that could not be parsed; its fault is already noted."""


REFUSED = _Refused()


@overload
def parse(
    shape: type[Parsed], value: object, *, unknown: Unknown = ...
) -> Parsed | list[Fault]: ...


@overload
def parse(shape: Any, value: object, *, unknown: Unknown = ...) -> Any: ...


def parse(shape: Any, value: object, *, unknown: Unknown = "refuse") -> Any:
    """Parse decoded JSON into `shape`.

    Args:
        shape: dataclass, `Annotated`, scalar, `Literal`, `tuple[T, ...]`, `list[T]`, `dict[K, T]`,
            optional, or a union of dataclasses told apart by their literal field `kind`.
        value: what `json.loads` or `tomllib` returned.
        unknown: `ignore` for messages, which newer peers may extend; `refuse` for configuration.

    Returns:
        The typed value, or the list of its first `MAX_FAULTS` faults if there is one.
    """
    faults: list[Fault] = []
    parsed = _Parser(faults, unknown == "refuse").any(shape, value, ())
    return faults if faults else parsed


class _Parser:
    def __init__(self, faults: list[Fault], refuse_unknown: bool) -> None:
        self._faults = faults
        self._refused = 0
        self._refuse_unknown = refuse_unknown

    def _refuse(self, path: Path, text: str) -> _Refused:
        self._refused += 1
        if self._refused <= MAX_FAULTS:
            self._faults.append(Fault(path, text))
        return REFUSED

    def any(self, shape: Any, value: object, path: Path) -> Any:
        if hasattr(shape, "__metadata__"):
            parsed = self.any(shape.__origin__, value, path)
            return self._bounded(parsed, shape.__metadata__, path)
        if dataclasses.is_dataclass(shape):
            return self._dataclass(shape, value, path)
        origin = get_origin(shape)
        if origin is Literal:
            return self._literal(get_args(shape), value, path)
        if origin in (Union, types.UnionType):
            return self._union(get_args(shape), value, path)
        if origin in (list, tuple):
            return self._sequence(origin, get_args(shape)[0], value, path)
        if origin is dict:
            key, item = get_args(shape)
            return self._mapping(key, item, value, path)
        return self._scalar(shape, value, path)

    def _bounded(self, parsed: Any, constraints: tuple[Constraint, ...], path: Path) -> Any:
        if parsed is None or parsed is REFUSED:
            return parsed
        for constraint in constraints:
            if broken := constraint.broken_by(parsed):
                return self._refuse(path, broken)
        return parsed

    def _scalar(self, shape: Any, value: object, path: Path) -> Any:
        if shape is Any or shape is object:
            return value
        if shape is float and type(value) in (int, float):
            number = _finite(value)
            return self._refuse(path, "must be a finite number") if number is None else number
        if type(value) is shape:
            return value
        if shape is int and type(value) is float and value.is_integer():
            return int(value)  # JSON has one kind of number, and some peers write 5.0
        return self._refuse(path, f"must be {_NAMES[shape]}, got {shorten(value)}")

    def _literal(self, choices: tuple[object, ...], value: object, path: Path) -> Any:
        for choice in choices:
            if value == choice and isinstance(value, bool) == isinstance(choice, bool):
                return choice
        names = ", ".join(str(choice) for choice in choices)
        return self._refuse(path, f"must be one of {names}; got {shorten(value)}")

    def _union(self, arms: tuple[Any, ...], value: object, path: Path) -> Any:
        if value is None and type(None) in arms:
            return None
        arms = tuple(arm for arm in arms if arm is not type(None))
        if len(arms) == 1:
            return self.any(arms[0], value, path)
        if not all(dataclasses.is_dataclass(arm) for arm in arms):
            return self._scalar_union(arms, value, path)
        kinds = {kind_of(arm): arm for arm in arms}
        if not isinstance(value, Mapping):
            return self._refuse(path, f"must be an object, got {shorten(value)}")
        kind = value.get("kind")
        if not isinstance(kind, str) or kind not in kinds:
            said = "is missing" if kind is None else f"{shorten(kind)} is unknown"
            return self._refuse((*path, "kind"), f"{said}; choose from {', '.join(kinds)}")
        return self._dataclass(kinds[kind], value, path)

    def _scalar_union(self, arms: tuple[Any, ...], value: object, path: Path) -> Any:
        for arm in arms:
            attempt = _Parser([], self._refuse_unknown)
            parsed = attempt.any(arm, value, path)
            if not attempt._faults:
                return parsed
        names = " or ".join(_NAMES.get(arm, "a list") for arm in arms)
        return self._refuse(path, f"must be {names}, got {shorten(value)}")

    def _sequence(self, kind: type, item: Any, value: object, path: Path) -> Any:
        if not isinstance(value, list | tuple):
            return self._refuse(path, f"must be a list, got {shorten(value)}")
        return kind(self.any(item, entry, (*path, str(i))) for i, entry in enumerate(value))

    def _mapping(self, key: Any, item: Any, value: object, path: Path) -> Any:
        if not isinstance(value, Mapping):
            return self._refuse(path, f"must be an object, got {shorten(value)}")
        return {
            self.any(key, name, (*path, str(name))): self.any(item, entry, (*path, str(name)))
            for name, entry in value.items()
        }

    def _dataclass(self, shape: Any, value: object, path: Path) -> Any:
        if not isinstance(value, Mapping):
            return self._refuse(path, f"must be an object, got {shorten(value)}")
        hints, required = fields_of(shape)
        refused_before = self._refused
        if self._refuse_unknown:
            for key in value:
                if key not in hints:
                    guess = _guess(str(key), hints) if self._refused < MAX_FAULTS else ""
                    self._refuse((*path, str(key)), f"is not a known key{guess}")
        for key in hints:
            if key in required and key not in value:
                self._refuse((*path, key), "is missing")
        given = {
            key: self.any(hint, value[key], (*path, key))
            for key, hint in hints.items()
            if key in value
        }
        return shape(**given) if self._refused == refused_before else REFUSED


@cache
def fields_of(shape: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """The type hints of a dataclass by field name, and the names that have no default."""
    hints = get_type_hints(shape, include_extras=True)
    fields = dataclasses.fields(shape)
    required = frozenset(
        field.name
        for field in fields
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    )
    return {field.name: hints[field.name] for field in fields}, required


def kind_of(shape: Any) -> str:
    """The literal that tells this arm of a union apart."""
    hints, _ = fields_of(shape)
    return str(get_args(hints["kind"])[0])


def _finite(value: Any) -> float | None:
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if number - number == 0 else None


def _guess(key: str, known: Mapping[str, Any]) -> str:
    near = get_close_matches(key, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(sorted(known))}"


_NAMES: dict[Any, str] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}
