"""Whatever a child does, its parent gets an answer or one line."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.errors import ModelError, UnavailableError
from agent.runtime.adapters.child import MAX_ANSWER_BYTES, ask

CHILD = "tests.support.misbehaving_child"
ROOT = Path(__file__).resolve().parents[2]


def told(do: str, deadline_s: float = 20.0, **more):
    return ask(CHILD, {"do": do, "model": "m.tflite", **more}, deadline_s)


def test_a_question_is_answered_by_another_process():
    answer = told("answer", what={"a": [1, None, "é"]})
    assert answer["got"] == {"a": [1, None, "é"]}
    assert answer["pid"] != os.getpid()


def test_a_long_question_is_heard():
    assert len(told("answer", what="x" * 900_000)["got"]) == 900_000


def test_what_native_code_prints_does_not_disturb_the_answer():
    assert told("print") == {"got": "noise"}


def test_a_crash_is_one_line_with_its_signal():
    with pytest.raises(ModelError, match=r"^the runtime died with SIGSEGV on m\.tflite"):
        told("crash")


def test_a_hang_ends_at_the_deadline():
    start = time.monotonic()
    with pytest.raises(ModelError, match=r"gave no answer on m\.tflite in 1 s"):
        told("hang", deadline_s=1.0)
    assert time.monotonic() - start < 15


def test_an_error_keeps_its_kind_and_exit_code():
    with pytest.raises(UnavailableError, match=r"^runtime x is not installed: install it$"):
        told("raise")


def test_a_fault_of_ours_shows_its_last_line():
    with pytest.raises(ModelError, match=r"died without a word .*RuntimeError: a fault of ours"):
        told("break")


def test_an_end_without_an_answer_is_one_line():
    with pytest.raises(ModelError, match="died without a word"):
        told("exit")


def test_a_module_that_does_not_exist_is_one_line():
    with pytest.raises(ModelError, match="No module named"):
        ask("agent.nowhere", {}, 20.0)


def test_a_flood_is_cut_off():
    start = time.monotonic()
    with pytest.raises(ModelError, match="died"):
        ask("tests.support.flooding_child", {"x": "y" * MAX_ANSWER_BYTES}, 60.0)
    assert time.monotonic() - start < 50


def test_a_child_whose_parent_was_killed_ends_by_itself():
    question = json.dumps({"do": "hang", "deadline_s": 0.5}).encode()
    with subprocess.Popen(
        [sys.executable, "-m", CHILD], stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as child:
        assert child.stdin
        child.stdin.write(question)
        child.stdin.close()
        child.wait(20)
    assert child.returncode == -signal.SIGALRM
