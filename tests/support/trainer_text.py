"""A trainer of one parameter, as text; and ways to make it hostile."""

import re

import wasmtime

PARAMETERS, EXAMPLES, LABELS, HYPER, OUTPUTS = 64, 128, 256, 320, 384
_NUMBERS = {
    "sv_train_abi": 1,
    "sv_param_count": 4,
    "sv_params": PARAMETERS,
    "sv_example_floats": 2,
    "sv_output_floats": 3,
    "sv_label_kind": 0,
    "sv_batch_capacity": 8,
    "sv_examples": EXAMPLES,
    "sv_labels": LABELS,
    "sv_hyper": HYPER,
    "sv_outputs": OUTPUTS,
    "sv_correct": 0,
}
_TRAIN = f"(f32.load (i32.const {EXAMPLES}))"
FOREVER = "(loop $l (br $l)) (f32.const 0)"
SPINS = "(block $b (loop $l (br_if $b (i32.eqz (local.get 0))) (br $l))) (f32.const 0)"
"""A loop without an end that a checker of dead code lets pass."""
TRAP = "(i32.store (i32.const 0) (i32.div_u (i32.const 1) (i32.eqz (local.get 0)))) (f32.const 0)"
OUTSIDE = "(f32.load (i32.const 0x7ffffff0))"
GROW = "(f32.convert_i32_s (memory.grow (i32.const 1)))"


def text(
    train: str = _TRAIN,
    *,
    imports: str = "",
    memory: str = "1 1",
    more: str = "",
    begin: str = "",
    evaluate: str = "(f32.const 0.5)",
    **numbers: int | str,
) -> bytes:
    """A module; `numbers` are other answers of its functions, or other bodies."""
    answers = _NUMBERS | numbers
    functions = "".join(
        f'(func (export "{name}") (result i32) '
        + (value if isinstance(value, str) else f"(i32.const {value})")
        + ")"
        for name, value in answers.items()
    )
    source = f"""(module {imports} (memory (export "memory") {memory}) {functions}
        (func (export "sv_begin") {begin})
        (func (export "sv_train") (param i32) (result f32) {train})
        (func (export "sv_evaluate") (param i32) (result f32) {evaluate}) {more})"""
    return bytes(wasmtime.wat2wasm(re.sub(r"\s+", " ", source)))


WASI = {
    name: f'(import "wasi_snapshot_preview1" "{name}" (func {kinds}))'
    for name, kinds in {
        "path_open": "(param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)",
        "fd_read": "(param i32 i32 i32 i32) (result i32)",
        "sock_send": "(param i32 i32 i32 i32 i32) (result i32)",
        "clock_time_get": "(param i32 i64 i32) (result i32)",
        "random_get": "(param i32 i32) (result i32)",
        "proc_exit": "(param i32)",
    }.items()
}
