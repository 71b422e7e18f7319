"""One model as several plans: for any device, and for those whose kernels want other packing."""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from firmware_bridge.errors import RecordError

SHA256_BYTES = 32
MAX_SPECIAL = 8
_HEAD = struct.Struct("<32sB")
_SPECIAL = struct.Struct("<H32s")


@dataclass(frozen=True, slots=True)
class Variants:
    """The plans of a model by sha256, which give the same answers.

    Attributes:
        common: the plan for any device that has no other here.
        special: pairs of a target, the number that a device tells in WELCOME, and its plan.
    """

    common: bytes
    special: tuple[tuple[int, bytes], ...] = ()

    def plan_for(self, target: int) -> bytes:
        """Return the sha256 of the plan for a device's kernels."""
        return dict(self.special).get(target, self.common)

    def pack(self) -> bytes:
        """Write `32s common · u8 count`, and `u16 target · 32s plan` for each special plan."""
        rest = [_SPECIAL.pack(*one) for one in self.special]
        return _HEAD.pack(self.common, len(rest)) + b"".join(rest)

    @classmethod
    def unpack(cls, data: bytes) -> tuple["Variants", bytes]:
        """Read them from the beginning of `data`; returns also what follows.

        Raises:
            RecordError: truncated, or more than a model has.
        """
        if len(data) < _HEAD.size:
            raise RecordError(f"the plans of a model in {len(data)} bytes")
        common, count = _HEAD.unpack_from(data)
        end = _HEAD.size + count * _SPECIAL.size
        if count > MAX_SPECIAL or len(data) < end:
            raise RecordError(f"{count} further plans of a model in {len(data)} bytes")
        return cls(common, tuple(_SPECIAL.iter_unpack(data[_HEAD.size : end]))), data[end:]


@dataclass(frozen=True, slots=True)
class Offer:
    """Variants with the plans themselves, by sha256."""

    variants: Variants
    plans: Mapping[bytes, bytes]

    @classmethod
    def of(cls, common: bytes, special: Mapping[int, bytes] | None = None) -> "Offer":
        """Offer a plan for any device, and others by target."""
        pairs = [(target, _sha256(plan), plan) for target, plan in (special or {}).items()]
        variants = Variants(_sha256(common), tuple((target, name) for target, name, _ in pairs))
        return cls(variants, {variants.common: common} | {name: plan for _, name, plan in pairs})


def _sha256(plan: bytes) -> bytes:
    return hashlib.sha256(plan).digest()
