"""The configuration shadow: what operators desire, what of it is in force, and why not the rest."""

from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from agent.config.device import DeviceConfig, local_only
from agent.config.layers import Layers, Tree, admit, combine, leaves
from broker.contract.codec import decode_json
from broker.contract.errors import MessageError
from broker.contract.messages import ReportedConfig
from broker.contract.shape import parse, to_tree
from broker.contract.shape.constraints import shorten

Scope = Literal["fleet", "device"]
DOCUMENT = "document"
VERSION = "version"

MAX_KEYS = 2048
"""In one document; each bad key is judged alone, and takes its time on a small machine."""

MAX_ERRORS = 64
"""So many are reported."""


@dataclass(frozen=True)
class Remembered:
    """What is kept through a restart: both documents, and the patch in force."""

    fleet: Tree = field(default_factory=dict)
    device: Tree = field(default_factory=dict)
    accepted: Tree = field(default_factory=dict)


def recall(tree: Any) -> Remembered:
    """Read back what `Shadow.remembered` gave; anything else counts as nothing."""
    parsed = parse(Remembered, tree)
    return parsed if isinstance(parsed, Remembered) else Remembered()


class Shadow:
    """Desired in, configuration and report out."""

    def __init__(self, layers: Layers, remembered: Remembered) -> None:
        self._layers = layers
        self._documents: dict[Scope, Tree] = {
            "fleet": remembered.fleet,
            "device": remembered.device,
        }
        self._broken: dict[Scope, str] = {}
        self._accepted = remembered.accepted
        self.config: DeviceConfig
        self._errors: dict[str, str]
        self._apply()

    def desire(self, scope: Scope, payload: bytes) -> bool:
        """Take a desired document; tell whether anything is to be applied.

        A payload that is no JSON object changes nothing but the report. An empty one, which is how
        MQTT clears a retained message, stands for an empty document.
        """
        try:
            document = decode_json(payload) if payload else {}
        except MessageError as error:
            self._broken[scope] = str(error)
            return False
        if not isinstance(document, dict):
            self._broken[scope] = "payload is not a JSON object"
            return False
        if sum(1 for _ in leaves(document)) > MAX_KEYS:
            self._broken[scope] = f"document has more than {MAX_KEYS} keys"
            return False
        self._broken.pop(scope, None)
        if repr(document) == repr(self._documents[scope]):  # by `==`, 1 would be true
            return False
        self._documents[scope] = document
        self._apply()
        return True

    def remembered(self) -> Tree:
        """What to keep through a restart."""
        tree: Tree = to_tree(
            Remembered(self._documents["fleet"], self._documents["device"], {})
        ) | {"accepted": self._accepted}
        return tree

    def report(self) -> ReportedConfig:
        """Say what is in force, and what was refused."""
        broken = {f"{scope} {DOCUMENT}": text for scope, text in self._broken.items()}
        errors = {
            _label(key): text[:400]
            for key, text in islice((broken | self._errors).items(), MAX_ERRORS)
        }
        if (more := len(self._errors) + len(broken) - MAX_ERRORS) > 0:
            errors["…"] = f"and {more} more"
        return ReportedConfig(
            version=_version(self._documents["device"]),
            fleet_version=_version(self._documents["fleet"]),
            applied=without_local(to_tree(self.config)),
            errors=errors,
        )

    def _apply(self) -> None:
        below = self._layers.below
        fleet, device = (_unversioned(self._documents[scope]) for scope in ("fleet", "device"))
        accepted = self._accepted
        wanted = combine(over=device, under=_yielding(fleet, device), base=below)
        fallback = combine(over=accepted, under=_yielding(fleet, accepted), base=below)
        admitted = admit(self._layers, wanted, fallback)
        self.config, self._errors = admitted.config, admitted.errors
        self._accepted = admitted.patch


def without_local(tree: Tree, path: tuple[str, ...] = ()) -> Tree:
    """Return the tree less what only the device itself may know."""
    return {
        key: without_local(value, (*path, key)) if isinstance(value, dict) else value
        for key, value in tree.items()
        if not local_only((*path, key))
    }


def _yielding(under: Tree, over: Tree) -> Tree:
    """Leave out what can only be a mistake: a plain value where the stronger one has an object."""
    kept: Tree = {}
    for key, value in under.items():
        stronger = over.get(key)
        if not isinstance(stronger, dict) or value is None:
            kept[key] = value
        elif isinstance(value, dict):
            kept[key] = _yielding(value, stronger)
    return kept


def _unversioned(document: Tree) -> Tree:
    return {key: value for key, value in document.items() if key != VERSION}


def _label(key: str) -> str:
    return key[:200] if key.isprintable() else shorten(key)


def _version(document: Tree) -> int | None:
    version = document.get(VERSION)
    return version if type(version) is int else None
