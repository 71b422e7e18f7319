"""A running pipeline goes over to another model: every input is answered once, in order, by the
model whose turn it was."""

import select
import socket
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from agent.adapters.child_process import ChildProcess
from agent.channel.framing import FrameDecoder
from agent.channel.messages import (
    Adopt,
    Adopted,
    Answer,
    FromChild,
    NotAdopted,
    Progress,
    Ready,
    Refused,
    Retune,
    Start,
    Stop,
    from_child,
)
from agent.config.device import PipelineConfig
from agent.pipeline.adapters.main_link import MainLink
from agent.pipeline.app import Child as Pipeline
from agent.sources.adapters.inbox import Inbox
from broker.contract.shape import parse
from tests.support.exports import litert
from tests.support.shipping import digits_model
from tests.support.wasm_modules import module_of
from tests.support.wasm_text import Made
from toolchain.convert.convert import Choices

LABELS = [str(digit) for digit in range(10)]
PATIENCE_S = 20.0
FRAMES = 400
KINDS = {
    "tflite": lambda model: model,
    "wasmtime": lambda model: module_of(model, Choices(target="simd")),
    "wasm3": lambda model: module_of(model, Choices(target="scalar")),
}
SUFFIX = {"tflite": "tflite", "wasmtime": "wasm", "wasm3": "wasm"}


class Child:
    """A pipeline's process, and all that it said."""

    def __init__(self, folder: Path, model: str, **changes: Any) -> None:
        self.said: list[FromChild] = []
        models, cache = folder / "models", folder / "cache"
        tree = {
            "model": model,
            "source": {"kind": "replay", "path": str(folder / "images.npy"), "loop": True},
            "preprocess": {"kind": "image"},
            "postprocess": {"kind": "classify", "labels": LABELS},
            "learning": {"jobs": ["digits"]},
            "deadline_ms": 4000,
        } | changes
        words = [str(cache), str(folder / "bridge.sock"), str(models)]
        start = Start("start", "digits", tree)
        self.process = ChildProcess(lambda fd: ["-m", "agent.pipeline.app", str(fd), *words], start)

    def until(self, kind: type, count: int = 1) -> list[Any]:
        """Listen until so many messages of a kind came; return all of it."""
        ends = time.monotonic() + PATIENCE_S
        while len(found := [one for one in self.said if isinstance(one, kind)]) < count:
            assert time.monotonic() < ends, self.said[-3:]
            assert not self.process.closed, self.said[-3:]
            select.select([self.process], [], [], 0.5)
            self.said += self.process.receive()
        return found

    def more(self, count: int) -> None:
        """Listen to so many further answers."""
        self.until(Answer, len([one for one in self.said if isinstance(one, Answer)]) + count)

    def adopt(self, model: Path, digest: str | None = None) -> FromChild:
        before = len(self.said)
        self.process.send(Adopt("adopt", "7", str(model), digest))
        ends = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends:
            for one in self.said[before:]:
                if isinstance(one, Adopted | NotAdopted):
                    assert one.id == "7"
                    return one
            self.more(1)
        raise AssertionError(self.said[-3:])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = np.random.default_rng(1).integers(0, 256, (FRAMES, 8, 8, 1)).astype(np.uint8)
    np.save(tmp_path / "images.npy", images)
    (tmp_path / "models").mkdir()
    return tmp_path


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / "models" / name
    path.write_bytes(data)
    return path


def expected(model: bytes, folder: Path) -> list[int]:
    """The label that LiteRT gives each picture."""
    images = np.load(folder / "images.npy")
    given = (images.astype(np.int16) - 128).astype(np.int8)
    return [int(row) for row in litert(model, given).argmax(axis=1)]


def check_answers(
    said: list[FromChild], first: list[int], by_model: dict[str, list[int]], tolerated: float
) -> int:
    """Every picture in its turn, each by the model whose turn it was; return how many there were.

    Args:
        by_model: labels by the model's SHA-256; `first` are those of the one that it began with.
        tolerated: share of answers that may differ from LiteRT's: our engine rounds otherwise.
    """
    labels, number, off = first, 0, 0
    for one in said:
        if isinstance(one, Adopted):
            labels = by_model[one.model]
        elif isinstance(one, Answer):
            assert one.input is not None
            assert int(one.input.split("[")[1][:-1]) == number % FRAMES, "lost or doubled"
            off += int(one.outputs["top"][0]["label"]) != labels[number % FRAMES]
            number += 1
    assert off <= tolerated * number
    return number


@pytest.mark.parametrize(
    ("first", "then"),
    [("tflite", "tflite"), ("wasmtime", "wasmtime"), ("wasm3", "wasm3"), ("tflite", "wasm3")],
)
def test_no_input_is_lost_or_answered_twice(first: str, then: str, folder: Path) -> None:
    models = {kind: [KINDS[kind](digits_model(seed)) for seed in (1, 2)] for kind in (first, then)}
    labels = [expected(digits_model(seed), folder) for seed in (1, 2)]
    differs = sum(a != b for a, b in zip(*labels, strict=True))
    assert differs > FRAMES // 10, "the two models are alike: nothing would be shown"
    old = put(folder, f"one.{SUFFIX[first]}", models[first][0])
    child = Child(folder, str(old), runtime=first if first == then else "auto")
    assert child.until(Ready)[0].model == sha256(models[first][0]).hexdigest()
    child.more(200)
    by_model = {}
    for turn in range(1, 7):
        data = models[then][turn % 2]
        digest = sha256(data).hexdigest()
        by_model[digest] = labels[turn % 2]
        adopted = child.adopt(put(folder, f"{turn % 2}.{SUFFIX[then]}", data), digest)
        assert isinstance(adopted, Adopted), adopted
        assert adopted.model == digest
        assert first == then or adopted.runtime in ("wasmtime", "wasm3")
        child.more(150)
    child.process.send(Stop("stop"))
    assert check_answers(child.said, labels[0], by_model, 0 if then == "tflite" else 0.03) >= 1000
    child.process.release()


@pytest.mark.parametrize("what", ["damaged", "another file", "missing", "of another shape"])
def test_what_does_not_fit_leaves_the_old_one(what: str, folder: Path) -> None:
    from tests.support.small_models import conv_model
    from toolchain.tflite.writer import write

    one = digits_model(1)
    old = put(folder, "one.tflite", one)
    contents = {
        "damaged": digits_model(2)[:-2000],
        "another file": digits_model(2),
        "of another shape": write(conv_model()),
        "missing": b"",
    }
    new = put(folder, "two.tflite", contents[what])
    if what == "missing":
        new.unlink()
    child = Child(folder, str(old))
    child.until(Ready)
    child.more(50)
    wanted = "0" * 64 if what == "another file" else None
    answer = child.adopt(new, wanted)
    assert isinstance(answer, NotAdopted)
    child.more(300)
    labels = expected(one, folder)
    assert check_answers(child.said, labels, {}, 0) >= 350
    child.process.release()


def test_a_threshold_that_was_changed_holds_for_the_new_model(folder: Path) -> None:
    old = put(folder, "one.tflite", digits_model(1))
    new = put(folder, "two.tflite", digits_model(2))
    child = Child(folder, str(old))
    child.until(Ready)
    child.process.send(Retune("retune", {"kind": "classify", "labels": LABELS, "top_k": 3}))
    child.more(50)
    assert isinstance(child.adopt(new), Adopted)
    before = len(child.said)
    child.more(50)
    tops = [len(one.outputs["top"]) for one in child.said[before:] if isinstance(one, Answer)]
    assert set(tops) == {3}
    child.process.release()


def test_many_models_one_after_another_leave_no_memory(folder: Path) -> None:
    paths = [put(folder, f"{seed}.tflite", digits_model(seed)) for seed in (1, 2)]
    source = {"kind": "replay", "path": str(folder / "images.npy"), "loop": True, "rate_hz": 100.0}
    child = Child(folder, str(paths[0]), source=source)
    child.until(Ready)
    process = psutil.Process(child.process.pid)
    for turn in range(30):
        child.said.clear()
        assert isinstance(child.adopt(paths[turn % 2]), Adopted)
        if turn == 9:
            settled = process.memory_info().rss
    assert process.memory_info().rss - settled < 4 << 20
    assert not any(isinstance(one, Refused) for one in child.said)
    child.until(Progress)
    child.process.release()


def test_models_that_are_never_freed_are_too_many_at_some_time(folder: Path) -> None:
    """Of 8 MB each; the third would leave more than 16 MB behind, and begins in a new process."""
    np.save(folder / "rows.npy", np.zeros((FRAMES, 1, 4), np.int8))
    made = [Made(pages=(128, 128), custom=[("turn", bytes([turn]))]) for turn in range(4)]
    paths = [put(folder, f"{turn}.wasm", one.bytes()) for turn, one in enumerate(made)]
    plain = {"preprocess": {"kind": "tensor"}, "postprocess": {"kind": "regress"}}
    source = {"kind": "replay", "path": str(folder / "rows.npy"), "loop": True, "rate_hz": 100.0}
    child = Child(folder, str(paths[0]), runtime="wasm3", source=source, **plain)
    child.until(Ready)
    process = psutil.Process(child.process.pid)
    for path in (paths[1], paths[0], paths[1], paths[2]):
        child.more(2)
        assert isinstance(child.adopt(path), Adopted)
    held = process.memory_info().rss
    refused = child.adopt(paths[3])
    assert isinstance(refused, NotAdopted)
    assert "wasm3 frees no model" in refused.reason
    child.more(10)
    assert process.memory_info().rss - held < 1 << 20
    child.process.release()


def test_what_the_old_model_answered_is_told_before_the_new_one_serves(folder: Path) -> None:
    """In this process, where it is known that answers wait when the model is there."""
    models = [digits_model(seed) for seed in (1, 2)]
    paths = [put(folder, f"{place}.tflite", model) for place, model in enumerate(models)]
    tree = {
        "model": str(paths[0]),
        "source": {"kind": "replay", "path": str(folder / "images.npy"), "loop": True},
        "preprocess": {"kind": "image"},
        "postprocess": {"kind": "classify", "labels": LABELS},
    }
    config = parse(PipelineConfig, tree)
    assert isinstance(config, PipelineConfig)
    ours, theirs = socket.socketpair()
    inbox = Inbox(time.monotonic_ns)
    link = MainLink(theirs.detach(), inbox)
    pipeline = Pipeline(link, inbox, config)
    link.requests.append(Adopt("adopt", "7", str(paths[1])))
    assert pipeline._obey()
    newcomer = pipeline._newcomer
    assert newcomer is not None
    pipeline._newcomer = None
    newcomer.loaded()
    pipeline._flush_at = pipeline._progress_at = time.monotonic_ns() + 10**12
    for _ in range(5):
        pipeline.turn()
    pipeline._newcomer = newcomer
    for _ in range(5):
        pipeline.turn()
    pipeline._flush()
    said = [from_child(one) for one in FrameDecoder().receive(ours.recv(1 << 20))]
    assert [type(one) for one in said] == [Answer] * 5 + [Adopted] + [Answer] * 5
    labels = {sha256(models[1]).hexdigest(): expected(models[1], folder)}
    assert check_answers(said, expected(models[0], folder), labels, 0) == 10
    ours.close()
