"""The interface of a trainer module, and what of it is believed (docs/reference/train-abi.md)."""

from collections.abc import Callable
from dataclasses import dataclass, fields

from agent.errors import ModelError
from agent.runtime.wasm.module import F32, I32
from agent.runtime.wasm.sealed import Interface

ABI = 1
MAX_PARAMETERS = 16 << 20
MAX_EXAMPLE_FLOATS = 1 << 22
MAX_OUTPUTS = 1 << 16
MAX_BATCH = 32767
HYPER_COUNT = 8
FLOAT_BYTES = 4
_GIVES = ((), (I32,))
TRAINER = Interface(
    "trainer",
    {
        **dict.fromkeys(
            (
                *("sv_train_abi", "sv_param_count", "sv_params", "sv_example_floats"),
                *("sv_output_floats", "sv_label_kind", "sv_batch_capacity", "sv_examples"),
                *("sv_labels", "sv_hyper", "sv_correct", "sv_outputs"),
            ),
            _GIVES,
        ),
        "sv_train": ((I32,), (F32,)),
        "sv_evaluate": ((I32,), (F32,)),
        "sv_begin": ((), ()),
    },
    dict.fromkeys(("sv_anchor", "sv_control", "sv_norms"), _GIVES),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a trainer says about itself, inside bounds.

    Attributes:
        labels: floats of one example's targets; 0: labels are class numbers.
        batch: examples at once, at most.
        has_anchor: it has FedProx's term; `has_control`: SCAFFOLD's; `has_norms`: it tells norms.
    """

    parameters: int
    example_floats: int
    outputs: int
    labels: int
    batch: int
    has_anchor: bool
    has_control: bool
    has_norms: bool

    @property
    def parameter_bytes(self) -> int:
        """Bytes of all parameters, of an anchor and of a control."""
        return self.parameters * FLOAT_BYTES

    def example_bytes(self, count: int) -> int:
        """Bytes of so many examples."""
        return count * self.example_floats * FLOAT_BYTES

    def label_bytes(self, count: int) -> int:
        """Bytes of their labels."""
        return count * max(1, self.labels) * FLOAT_BYTES

    def output_bytes(self, count: int) -> int:
        """Bytes of their outputs."""
        return count * self.outputs * FLOAT_BYTES

    def check(self) -> None:
        """Refuse numbers that no honest trainer has.

        Raises:
            ModelError: one is out of bounds; the text names it.
        """
        for name, least, most in (
            ("parameters", 1, MAX_PARAMETERS),
            ("example_floats", 1, MAX_EXAMPLE_FLOATS),
            ("outputs", 1, MAX_OUTPUTS),
            ("batch", 1, MAX_BATCH),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise ModelError(f"is no trainer: {name} is {value}, not {least} to {most}")
        if self.labels not in (0, self.outputs):
            raise ModelError(f"is no trainer: {self.labels} targets for {self.outputs} outputs")


@dataclass(frozen=True, slots=True)
class Places:
    """Where in the module's memory everything lies; 0: it is not there."""

    params: int
    examples: int
    labels: int
    hyper: int
    outputs: int
    anchor: int = 0
    control: int = 0
    norms: int = 0


def describe(
    call: Callable[[str], int], memory_bytes: int, optional: frozenset[str]
) -> tuple[Shape, Places]:
    """Ask a module about itself and believe only what fits into its memory.

    Raises:
        ModelError: it has another interface, or lies.
    """
    if (version := call("sv_train_abi")) != ABI:
        raise ModelError(f"is a trainer of interface {version}, not {ABI}")
    shape = Shape(
        call("sv_param_count"),
        call("sv_example_floats"),
        call("sv_output_floats"),
        call("sv_label_kind"),
        call("sv_batch_capacity"),
        *(name in optional for name in ("sv_anchor", "sv_control", "sv_norms")),
    )
    shape.check()
    sizes = {
        "params": shape.parameter_bytes,
        "examples": shape.example_bytes(shape.batch),
        "labels": shape.label_bytes(shape.batch),
        "hyper": HYPER_COUNT * FLOAT_BYTES,
        "outputs": shape.output_bytes(shape.batch),
        "anchor": shape.parameter_bytes,
        "control": shape.parameter_bytes,
        "norms": shape.batch * FLOAT_BYTES,
    }
    found: dict[str, int] = {}
    for name in (field.name for field in fields(Places)):
        if f"sv_{name}" in TRAINER.optional and f"sv_{name}" not in optional:
            continue
        at = call(f"sv_{name}") & 0xFFFFFFFF
        if at == 0 or at % FLOAT_BYTES or at + sizes[name] > memory_bytes:
            place = f"{sizes[name]} bytes at address {at} of {memory_bytes}"
            raise ModelError(f"is no trainer: sv_{name} has {place}")
        found[name] = at
    return shape, Places(**found)
