"""The account of a converted model: a plan, or the module that holds one."""

import hashlib
from collections.abc import Collection
from dataclasses import asdict
from math import isfinite
from typing import Any

from toolchain.convert.label import Label, find
from toolchain.convert.sections import Kind, read
from toolchain.errors import ModelRefused
from toolchain.inspect.engine_runtimes import of_file
from toolchain.inspect.table import columns, printable
from toolchain.plan.decode import decode
from toolchain.plan.layout import HEADER_BYTES, Header
from toolchain.plan.numbers import MAGIC, Place
from toolchain.plan.plan import Plan, PlanTensor

Tree = dict[str, Any]
_MAX_PLACES = 16
"""Where a plan is looked for; the bytes of its mark may be weights as well."""
_MAX_STEPS = 20_000_000


def report(data: bytes, suffix: str, installed: Collection[str]) -> Tree:
    """Account for a file of kind `wasm` or `plan`.

    Returns:
        Plain JSON values under the keys of a `.tflite` report; `macs` is None in a plan, which does
        not say it; and `label` (of a module, else None), `plan_sha256`, `rounding`, `target`.

    Raises:
        ModelRefused: it is none, or damaged.
    """
    label = None
    if suffix == "wasm":
        label, data = _inside(data)
    plan = decode(data)
    _check(plan)
    return {
        "label": asdict(label) if label else None,
        "plan_sha256": hashlib.sha256(data).hexdigest(),
        "rounding": plan.rounding.name.lower(),
        "target": plan.target.name.lower(),
        "inputs": list(plan.inputs),
        "outputs": list(plan.outputs),
        "operators": [
            {
                "index": number,
                "name": one.opcode.name,
                "layout": one.layout,
                "inputs": list(one.inputs),
                "outputs": list(one.outputs),
                "scratch_bytes": one.scratch_bytes,
            }
            for number, one in enumerate(plan.operators)
        ],
        "tensors": [_tensor(index, tensor) for index, tensor in enumerate(plan.tensors)],
        "macs": label.macs if label else None,
        "weight_bytes": len(plan.constants),
        "arena_bytes": plan.arena_bytes,
        "arena_lower_bound_bytes": live_bytes(plan),
        "runtimes": [
            asdict(one) for one in of_file(suffix, plan.target, plan.arena_bytes, installed)
        ],
    }


def live_bytes(plan: Plan) -> int:
    """The most bytes of the arena that are in use at once: no arena for this order is smaller.

    Tensors that share bytes count once; a kernel's scratch counts while it runs.
    """
    last = len(plan.operators)
    first = dict.fromkeys(plan.inputs, 0)
    until = dict.fromkeys(plan.outputs, last)
    for number, operator in enumerate(plan.operators):
        for index in operator.outputs:
            first.setdefault(index, number)
            until.setdefault(index, number)
        for index in operator.inputs:
            until[index] = max(number, until.get(index, 0))
    most = 0
    for number, operator in enumerate(plan.operators):
        held = [
            (plan.tensors[index].offset, plan.tensors[index].size_bytes)
            for index, start in first.items()
            if start <= number <= until.get(index, 0) and plan.tensors[index].place is Place.ARENA
        ]
        most = max(most, _union([*held, (operator.scratch, operator.scratch_bytes)]))
    return most


def text(title: str, tree: Tree) -> str:
    """Lay out a tree of `report`."""
    label, tensors = tree["label"], tree["tensors"]
    what = f"module of {printable(label['name'])!r}" if label else "plan"
    lines = [f"{title}: {what}, rounding {tree['rounding']}, target {tree['target']}"]
    lines += [f"input   {_signature(tensors[i])}" for i in tree["inputs"]]
    lines += [f"output  {_signature(tensors[i])}" for i in tree["outputs"]]
    rows = [["#", "operator", "layout", "output", "type", "at", "scratch"]]
    for one in tree["operators"]:
        output: Tree = tensors[one["outputs"][0]] if one["outputs"] else {"shape": (), "dtype": ""}
        rows.append(
            [
                str(one["index"]),
                one["name"],
                str(one["layout"]),
                _shape(output["shape"]),
                output["dtype"],
                str(output.get("offset", "")),
                f"{one['scratch_bytes']:,}" if one["scratch_bytes"] else "",
            ]
        )
    facts = [
        ["plan", tree["plan_sha256"]],
        *([["engine", f"{label['engine']}, {label['engine_sha256']}"]] if label else []),
        *([["MACs", f"{tree['macs']:,}"]] if tree["macs"] is not None else []),
        ["constants", f"{tree['weight_bytes']:,} bytes"],
        ["arena", f"{tree['arena_bytes']:,} bytes; in use at once {_most(tree)}"],
        *[
            [one["runtime"], f"{'yes' if one['can_run'] else 'no'}: {one['reason']}"]
            for one in tree["runtimes"]
        ],
    ]
    return "\n".join([*lines, "", *columns(rows, right=(0, 2, 5, 6)), "", *columns(facts)])


def _inside(module: bytes) -> tuple[Label, bytes]:
    """The label of a module, and the plan that it names."""
    sections = read(module)
    label = find(sections)
    data = b"".join(one.payload for one in sections if one.kind is Kind.DATA)
    at = len(data)
    for _ in range(_MAX_PLACES):
        at = data.rfind(MAGIC, 0, at)  # `convert` puts the plan behind all that is the engine's
        if at < 0 or len(data) - at < HEADER_BYTES:
            break
        plan = data[at : at + Header.unpack(data, at).length]
        if hashlib.sha256(plan).hexdigest() == label.plan_sha256:
            return label, plan
    raise ModelRefused("wasm: holds no plan that its label names; convert the model again")


def _check(plan: Plan) -> None:
    """What the account follows; whether a plan may run is the engine's own question."""
    ends = [*plan.inputs, *plan.outputs]
    for operator in plan.operators:
        ends += [*operator.inputs, *operator.outputs]
    if max(ends, default=0) >= len(plan.tensors):
        raise ModelRefused("plan: an operand is no tensor of it; convert the model again")
    if len(plan.operators) * len(plan.tensors) > _MAX_STEPS:
        raise ModelRefused(
            f"plan: {len(plan.operators)} operators on {len(plan.tensors)} tensors are too many"
        )


def _tensor(index: int, tensor: PlanTensor) -> Tree:
    is_quantized = tensor.scale > 0 and isfinite(tensor.scale)
    return {
        "index": index,
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype.label,
        "scale": tensor.scale if is_quantized else None,
        "zero_point": tensor.zero_point if is_quantized else None,
        "bytes": tensor.size_bytes,
        "constant": tensor.place is Place.CONSTANTS,
        "offset": tensor.offset,
        "uint8_outside": tensor.is_uint8_outside,
    }


def _union(blocks: list[tuple[int, int]]) -> int:
    total = reached = 0
    for start, size in sorted(blocks):
        end = start + size
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _signature(tensor: Tree) -> str:
    parts = [printable(tensor["name"]) or "unnamed", f"{tensor['dtype']}{_shape(tensor['shape'])}"]
    if tensor["scale"] is not None:
        parts.append(f"scale {tensor['scale']:.6g}, zero point {tensor['zero_point']}")
    return "  ".join(parts)


def _shape(shape: list[int]) -> str:
    return "[" + "×".join(map(str, shape)) + "]"


def _most(tree: Tree) -> str:
    bound = tree["arena_lower_bound_bytes"]
    return "all of it" if bound == tree["arena_bytes"] else f"{bound:,}"
