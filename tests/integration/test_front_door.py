"""The one script, as a shell sees it: exit codes, one line for a refusal, and never a traceback."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from broker.contract.version import VERSION
from selvedge import COMMANDS

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "selvedge.py"

# Commands that a test can make do what it wants, beside the real ones.
PROGRAM = """
import sys
sys.path[:0] = [{root!r}, {folder!r}]
import selvedge
selvedge.COMMANDS["try"] = ("trial", "a trial")
sys.exit(selvedge.main())
"""
TRIAL = """
import os, signal, sys, time
from broker.contract.exit_code import ExitCode
from broker.contract.outcome import Outcome
{at_import}
def configure(parser):
    parser.add_argument("word", nargs="?")
def run(arguments):
    {at_run}
    return Outcome("done " * 10_000, {{"done": "done" * 10_000}}, ExitCode.MODEL)
"""


def selvedge(*words, stdout=subprocess.PIPE):
    done = subprocess.run(
        [sys.executable, SCRIPT, *words],
        cwd=ROOT,
        check=False,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done


@pytest.fixture
def trial(tmp_path):
    def start(*words, at_import="", at_run="pass", stdout=subprocess.PIPE):
        (tmp_path / "trial.py").write_text(TRIAL.format(at_import=at_import, at_run=at_run))
        program = PROGRAM.format(root=str(ROOT), folder=str(tmp_path))
        return subprocess.Popen(
            # Whoever runs the tests in the background may have switched Ctrl-C off for them.
            ["env", "--default-signal=INT", sys.executable, "-c", program, "try", *words],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def nobody():
    """The writing end of a pipe that nobody reads."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    yield write_end
    os.close(write_end)


@pytest.mark.parametrize("words", [(), ("-h",), ("--help",), ("help",)])
def test_help_lists_every_command(words):
    done = selvedge(*words)
    assert (done.returncode, done.stderr) == (0, "")
    for name, (_, summary) in COMMANDS.items():
        assert any(
            line.split("  ")[1:] and name in line and summary in line
            for line in done.stdout.splitlines()
        )


def test_version():
    done = selvedge("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{VERSION}\n", "")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("nonsense",), "unknown command 'nonsense'"),
        (("--nonsense",), "unknown command '--nonsense'"),
        (("config",), "usage: selvedge COMMAND"),
        (("config", "nonsense"), "config show"),
        (("doctor", "--nonsense"), "unrecognized arguments: --nonsense"),
        (("infer",), "required"),
        (("doctor", "nonsense"), "unrecognized arguments: nonsense"),
    ],
)
def test_what_is_no_command_is_a_usage_error(words, reason):
    done = selvedge(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr


def test_a_refusal_is_one_line_and_one_object(tmp_path):
    done = selvedge("inspect", str(tmp_path / "nothing.tflite"), "--json")
    assert done.returncode == 4
    assert done.stderr.startswith("selvedge: ")
    assert done.stderr.count("\n") == 1
    told = json.loads(done.stdout)
    assert (told["exit_code"], f"selvedge: {told['error']}\n") == (4, done.stderr)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    done = selvedge(*command.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: selvedge {command} ")


@pytest.mark.parametrize(
    "words", [("doctor",), ("doctor", "--json"), ("doctor", "--help"), ("--help",), ("--version",)]
)
def test_nobody_reads_the_answer(words, nobody):
    done = selvedge(*words, stdout=nobody)
    assert (done.returncode, done.stderr) == (selvedge(*words).returncode, "")


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_reader_that_has_seen_enough_leaves_the_exit_code(trial, words):
    process = trial(*words)
    assert process.stdout.read(1)
    process.stdout.close()
    assert (process.wait(10), process.stderr.read()) == (4, "")
    process.stderr.close()


def test_a_command_that_prints_while_it_runs_and_nobody_reads(trial, nobody):
    process = trial(at_run="print('x' * 100_000)", stdout=nobody)
    assert process.communicate(timeout=10)[1] == ""
    assert process.returncode == 0


def test_another_broken_pipe_is_no_closed_stdout(trial):
    process = trial("--json", at_run="raise BrokenPipeError(32, 'the socket broke')")
    out, error = process.communicate(timeout=10)
    assert process.returncode == 6
    assert "the socket broke" in error
    assert json.loads(out)["exit_code"] == 6


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_an_answer_that_cannot_be_written():
    with Path("/dev/full").open("w") as full:
        done = selvedge("--version", stdout=full)
    assert done.returncode == 6
    assert done.stderr == "selvedge: cannot write to stdout: No space left on device\n"


def test_no_stdout_at_all():
    command = f"exec '{sys.executable}' '{SCRIPT}' --version >&-"
    done = subprocess.run(["sh", "-c", command], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_ctrl_c(trial, words):
    process = trial(*words, at_run="print('ready', flush=True); time.sleep(60)")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=10)
    assert (process.returncode, error) == (2, "")
    assert out == ('{"error": "interrupted"}\n' if words else "")


def test_ctrl_c_while_a_command_is_loading(trial):
    process = trial(at_import="print('ready', flush=True); time.sleep(60)")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=10) == ("", "")
    assert process.returncode == 2


@pytest.mark.parametrize(
    ("where", "code", "reason"),
    [
        ({"at_import": "import no_such_package"}, 6, "No module named 'no_such_package'"),
        ({"at_run": "raise RuntimeError('first\\nsecond')"}, 6, "RuntimeError: first second"),
        ({"at_run": "import agent.errors as e; raise e.ModelError('bad; mend it')"}, 4, "mend it"),
    ],
)
def test_whatever_goes_wrong_is_one_line(trial, where, code, reason):
    process = trial(**where)
    out, error = process.communicate(timeout=10)
    assert (process.returncode, out) == (code, "")
    assert error.startswith("selvedge: ")
    assert error.count("\n") == 1
    assert reason in error
