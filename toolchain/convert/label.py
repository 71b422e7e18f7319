"""The custom section `selvedge`: what a module is, for whoever finds one."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from broker.contract.shape import parse
from toolchain.convert.leb128 import read_u32, write_u32
from toolchain.convert.sections import Kind, Section
from toolchain.errors import ModelRefused

_NAME = b"selvedge"
_MAX_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Label:
    """What a module says about itself; JSON in the section.

    Attributes:
        engine: version of Selvedge whose engine this is.
        engine_sha256: of the prebuilt engine, before the plan was joined.
        plan_sha256: of the plan, as the same conversion to `.plan` writes it.
        macs: multiply-accumulates of one run.
    """

    name: str
    engine: str
    engine_sha256: str
    plan_sha256: str
    rounding: str
    target: str
    macs: int | None = None


def to_section(label: Label) -> Section:
    """The label as a custom section."""
    tree = json.dumps(asdict(label), ensure_ascii=False, separators=(",", ":"))
    text = tree.encode(errors="replace")  # a file's name need not be UTF-8
    if len(text) > _MAX_BYTES:
        raise ModelRefused(f"label: {len(text)} bytes, more than {_MAX_BYTES}; use a shorter name")
    return Section(Kind.CUSTOM, write_u32(len(_NAME)) + _NAME + text)


def find(sections: Iterable[Section]) -> Label:
    """The label of a module.

    Raises:
        ModelRefused: there is none, or it is damaged.
    """
    for section in sections:
        if section.kind is Kind.CUSTOM and (text := _content(section.payload)) is not None:
            return _parse(text)
    raise ModelRefused("wasm: no section 'selvedge'; make the module with 'selvedge convert'")


def _content(payload: bytes) -> bytes | None:
    """What stands behind our name; None if the section is somebody else's."""
    length, start = read_u32(memoryview(payload), 0)
    return payload[start + length :] if payload[start : start + length] == _NAME else None


def _parse(text: bytes) -> Label:
    label = None
    try:
        if len(text) <= _MAX_BYTES:
            label = parse(Label, json.loads(text), unknown="ignore")
    except (ValueError, RecursionError):
        pass
    if not isinstance(label, Label):
        raise ModelRefused("wasm: the section 'selvedge' is damaged; convert the model again")
    return label
