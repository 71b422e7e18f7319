"""What a hostile trainer module gets out of a learner: nothing but an update of the usual size."""

from pathlib import Path

import numpy as np
import psutil
import pytest

from agent.errors import ModelError
from agent.learning.samples.sample import Example, Sample
from agent.learning.trainer.adapters.session import Limits, Session
from broker.contract.federated.job import JobSpec
from broker.contract.federated.update import decode_slice
from tests.support import trainer_text as t
from tests.support.brokers import eventually
from tests.support.children import have_ended
from tests.support.jobs import Desk, job
from tests.support.mutated_trainers import try_mutants

FLOATS, PARAMETERS, CLIP = 2, 4, 0.75
SECRET = (0.1234, -987.5)
STEP = (np.array(SECRET, "<f4").tobytes(), bytes(4), 1)
FIRST = np.zeros(PARAMETERS, np.float32)


def stores(*values: str) -> str:
    """Write f32 expressions into the parameters; answer a plausible loss."""
    written = [
        f"(f32.store (i32.const {t.PARAMETERS + 4 * at}) {value})"
        for at, value in enumerate(values)
    ]
    return "".join(written) + "(f32.const 0.25)"


def example(at: int) -> str:
    """A number of the first example, as the module sees it."""
    return f"(f32.load (i32.const {t.EXAMPLES + 4 * at}))"


LOOP = "(block $b (loop $l (br_if $b (i32.eqz (i32.const 1))) (br $l)))"
CALLS_ITSELF = "(func $r (param i32) (result f32) (f32.neg (call $r (local.get 0))))"


@pytest.mark.parametrize("runtime", ["wasmtime", "wasm3"])
@pytest.mark.parametrize(
    "module",
    [
        pytest.param({"sv_param_count": f"{LOOP} (i32.const 4)"}, id="when it is described"),
        pytest.param({"begin": LOOP}, id="when it begins"),
        pytest.param({"evaluate": f"{LOOP} (f32.const 0)"}, id="when it is judged"),
        pytest.param({"sv_correct": f"{LOOP} (i32.const 0)"}, id="when it counts"),
    ],
)
def test_a_loop_anywhere_is_ended_by_the_clock(module, runtime):
    def used() -> None:
        with Session(t.text(**module), runtime, Limits(call_s=1.5)) as session:
            session.begin()
            session.evaluate(*STEP)

    with pytest.raises(ModelError, match=r"gave no answer in 1\.5 s"):
        used()


@pytest.mark.parametrize("runtime", ["wasmtime", "wasm3"])
def test_endless_recursion_ends_in_one_line(runtime):
    session = Session(t.text("(call $r (local.get 0))", more=CALLS_ITSELF), runtime)
    with pytest.raises(ModelError, match="stack"):
        session.train(*STEP)


def test_memory_does_not_grow_from_any_function():
    grows = "(memory.grow (i32.const 1))"
    module = t.text(
        *(f"(f32.convert_i32_s {grows})",),
        begin=f"(drop {grows})",
        evaluate=f"(f32.convert_i32_s {grows})",
        sv_correct=f"(i32.add (i32.const 1) {grows})",
    )
    with Session(module) as session:
        session.begin()
        assert session.train(*STEP) == -1
        found = session.evaluate(*STEP)
        assert (found.loss, found.correct) == (-1, 0)


def test_tables_take_no_memory_either():
    """The table may grow by its own right; the kernel refuses it the memory."""
    grows = "(f32.convert_i32_s (table.grow 0 (ref.null func) (i32.const 100000000)))"
    session = Session(t.text(grows, more="(table 1 funcref)"))
    with pytest.raises(ModelError, match="out of memory"):
        session.train(*STEP)


def test_a_function_made_to_exhaust_the_compiler_ends_its_own_process():
    stored = "(i32.mul (i32.const 3) (i32.load (i32.add (local.get 0) (i32.load (i32.const 64)))))"
    monster = f"(func (param i32) {f'(i32.store (i32.const 64) {stored})' * 100_000})"
    with pytest.raises(ModelError, match="died with SIG"):
        Session(t.text(more=monster))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"memory": "1 1 shared"}, "is shared, or of 64 bits"),
        ({"memory": "i64 1 1"}, "is shared, or of 64 bits"),
        ({"more": "(memory $m 1 1)"}, "memor"),
        ({"imports": '(import "clock" "now" (func (result i64)))'}, "import"),
    ],
)
def test_clocks_threads_and_other_memories_are_refused(words, told):
    """Two threads that share memory would be a clock."""
    with pytest.raises(ModelError, match=told):
        Session(t.text(**words))


def update_of(folder: Path, spec: JobSpec, module: bytes) -> list[bytes]:
    """What a device with a secret would send for a job whose trainer is hostile."""
    data = np.array(SECRET, "<f4").tobytes()
    samples = [Sample(f"{at}", "yes", Example(data, "float32")) for at in range(3)]
    desk = Desk(folder, spec, samples, FIRST, module)
    process = desk.start(deadline_s=60.0)
    family = [psutil.Process(process.pid)]
    try:
        assert eventually(lambda: process.poll() is not None, 70)
    finally:
        process.close()
        assert eventually(lambda: have_ended(family), 20)
    out = desk.output
    return [(out / str(at)).read_bytes() for at in range(len(list(out.glob("[0-9]*"))))]


def spec_of(**more) -> JobSpec:
    return job(PARAMETERS, FLOATS, **more)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (t.text(stores("(f32.const nan)")), "no longer finite"),
        (t.text(stores("(f32.const inf)")), "no longer finite"),
        (t.text(stores("(f32.const 3e38)")), "exceeds"),
        (t.text("(f32.const nan)"), "not finite"),
        (t.text(evaluate="(f32.const inf)"), "not finite"),
        (t.text(begin="(unreachable)"), "unreachable"),
        (t.text(sv_correct=4), "right answers of 3"),
        (t.text(sv_param_count=5), "has 5 parameters; the job says 4"),
    ],
)
def test_of_what_is_no_update_nothing_is_kept(module, text, tmp_path):
    with pytest.raises(ModelError, match=text):
        update_of(tmp_path, spec_of(), module)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("codec", ["f32", "int8", "int4", "one_bit", "top_k", "random_k"])
def test_a_module_that_copies_examples_into_its_update_sends_no_byte_more(codec, tmp_path):
    """Its parameters are its only way out: as many as the job says, clipped, under the codec."""
    privacy = {"mode": "none", "clip_norm": CLIP}
    spec = spec_of(codec={"name": codec}, privacy=privacy)
    thief = t.text(stores(example(0), example(1), example(0), example(1)))
    honest = t.text(stores(*["(f32.const 0.01)"] * PARAMETERS))
    sizes = []
    for name, module in (("thief", thief), ("honest", honest)):
        (tmp_path / name).mkdir()
        sent = update_of(tmp_path / name, spec, module)
        sizes.append([len(message) for message in sent])
        data = [decode_slice(message).data for message in sent]
        assert sum(map(len, data)) <= 4 * PARAMETERS + 16
        if codec == "f32":
            values = np.frombuffer(b"".join(data), "<f4")
            assert np.linalg.norm(values) <= CLIP
            assert not np.isin(np.array(SECRET, np.float32), values).any(), "no number as it was"
    assert sizes[0] == sizes[1]


def test_beside_the_update_two_losses_leave_and_under_privacy_nothing(tmp_path):
    """What a module says of its loss goes along as two numbers; noise would not cover them."""
    thief = t.text(
        stores(example(0)), evaluate=example(1).replace("f32.load", "f32.abs (f32.load") + ")"
    )
    told = {}
    for mode in ("none", "central", "local"):
        (tmp_path / mode).mkdir()
        more = {} if mode == "none" else {"clip_norm": 1.0, "noise_multiplier": 4.0}
        spec = spec_of(privacy={"mode": mode, **more})
        [piece] = map(decode_slice, update_of(tmp_path / mode, spec, thief))
        told[mode] = (piece.examples, piece.losses)
    loss = pytest.approx(abs(SECRET[1]))
    assert told == {"none": (3, (loss, loss)), "central": (1, None), "local": (1, None)}


@pytest.mark.parametrize("runtime", ["wasmtime", "wasm3"])
def test_mutated_modules_are_refused_ended_or_train(runtime):
    outcomes = try_mutants(runtime, range(6), call_s=4.0)
    assert outcomes["refused"] > 0
    assert outcomes["trained"] > 0
