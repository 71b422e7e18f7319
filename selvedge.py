"""The front door: the one script `selvedge`, which hands each command to the package that owns it.

A command's module has `configure(parser)` and `run(arguments) -> Outcome`, and is imported only
when its command is called, so that a small command stays small.
"""

import argparse
import importlib
import json
import os
import select
import sys
from collections.abc import Callable, Sequence

from broker.contract.exit_code import ExitCode
from broker.contract.outcome import Outcome
from broker.contract.version import VERSION

COMMANDS = {
    "demo": ("broker.demo.cli", "the whole system on this machine, in a minute or two"),
    "doctor": ("agent.doctor.cli", "what this machine has, what it lacks, and the remedy"),
    "agent": ("agent.cli", "run the agent"),
    "broker": ("broker.cli", "run a private MQTT broker"),
    "broker init": ("broker.init.cli", "write a mosquitto configuration with certificates"),
    "aggregator": ("broker.aggregator.cli", "run the aggregator of federated jobs"),
    "fl export": ("broker.learning.export_cli", "make what a federated job ships, without a job"),
    "fl start": ("broker.learning.start_cli", "start a federated job"),
    "fl status": ("broker.learning.status_cli", "say how far federated jobs have come"),
    "fl simulate": ("broker.learning.simulate_cli", "try a job on thousands of virtual devices"),
    "fl stop": ("broker.learning.stop_cli", "stop a federated job, or let it go on"),
    "devices": ("broker.fleet.cli", "list the devices that a broker knows"),
    "config get": ("broker.fleet.get_cli", "print what a device runs and what is desired"),
    "config set": ("broker.fleet.set_cli", "change a device's configuration over MQTT"),
    "config show": ("agent.config.cli", "print this machine's configuration and its origins"),
    "samples import": ("agent.learning.samples.import_cli", "put labelled samples in the store"),
    "samples list": ("agent.learning.samples.list_cli", "count the samples of each label"),
    "samples forget": ("agent.learning.samples.forget_cli", "delete samples beyond recovery"),
    "infer": ("agent.infer.cli", "run a model once on an array"),
    "bench": ("agent.bench.cli", "measure models under runtimes"),
    "inspect": ("toolchain.inspect.cli", "say what is in a model"),
    "compare": ("toolchain.compare.cli", "find the first tensor in which two runtimes differ"),
    "mcu list": ("agent.mcu.list_cli", "list serial ports, and the microcontrollers behind them"),
    "mcu info": ("agent.mcu.info_cli", "say what a microcontroller is and has"),
    "mcu load": ("agent.mcu.load_cli", "bring a model to a microcontroller"),
    "mcu infer": ("agent.mcu.infer_cli", "run a model once on a microcontroller"),
    "mcu bench": ("agent.mcu.bench_cli", "measure a model on a microcontroller"),
    "mcu emulate": ("agent.mcu.emulate_cli", "run an emulated microcontroller"),
    "convert": ("toolchain.convert.cli", "make a wasm module or a plan out of a .tflite model"),
    "trainer": ("toolchain.training.cli", "make a wasm module that trains a small network"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; no traceback reaches the user."""
    words = list(sys.argv[1:] if argv is None else argv)
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115 - closed by the caller
    code: int = ExitCode.DONE
    try:
        try:
            text, code = _answer(words)
            if text:
                print(text)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return ExitCode.USAGE
    except BrokenPipeError:  # the reader has seen enough
        _silence_stdout()
    except OSError as error:
        _silence_stdout()
        print(f"selvedge: cannot write to stdout: {error.strerror}", file=sys.stderr)
        return ExitCode.UNAVAILABLE
    return code


def parser_of(name: str) -> argparse.ArgumentParser:
    """Make the parser of a command of `COMMANDS`; imports its module."""
    module, meaning = COMMANDS[name]
    parser = argparse.ArgumentParser(f"selvedge {name}", description=meaning)
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    importlib.import_module(module).configure(parser)
    return parser


def command_of(words: Sequence[str]) -> str | None:
    """The name of the command that words begin with; the longer one where two fit."""
    return next((name for name in (" ".join(words[:2]), *words[:1]) if name in COMMANDS), None)


def _answer(words: list[str]) -> tuple[str, int]:
    """What to print on stdout, and the exit code."""
    name = command_of(words)
    if name is None:
        return _no_command(words)
    as_json = False

    def command() -> Outcome:
        nonlocal as_json
        module, parser = importlib.import_module(COMMANDS[name][0]), parser_of(name)
        arguments = parser.parse_intermixed_args(words[len(name.split()) :])
        as_json = arguments.json
        outcome = module.run(arguments)
        assert isinstance(outcome, Outcome)
        return outcome

    outcome = _guarded(command)
    if not as_json:
        return outcome.text, outcome.exit_code
    # An empty tree: the command runs on and has printed its object at its start.
    return json.dumps(outcome.tree) if outcome.tree else "", outcome.exit_code


def _guarded(command: Callable[[], Outcome]) -> Outcome:
    try:
        return command()
    except KeyboardInterrupt:
        return Outcome("", {"error": "interrupted"}, ExitCode.USAGE)
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads_stdout():
            return Outcome()
        if os.environ.get("SELVEDGE_TRACEBACK"):
            raise
        code = getattr(error, "exit_code", None)
        if not isinstance(code, ExitCode):
            code = ExitCode.UNAVAILABLE
            text = f"{type(error).__name__}: {error} (SELVEDGE_TRACEBACK=1 shows where)"
        else:
            text = str(error)
        line = " ".join(text.split())
        print(f"selvedge: {line}", file=sys.stderr)
        return Outcome("", {"error": line, "exit_code": int(code)}, code)


def _nobody_reads_stdout() -> bool:
    poll = select.poll()
    poll.register(sys.stdout.fileno(), select.POLLOUT)
    return any(events & select.POLLERR for _, events in poll.poll(0))


def _silence_stdout() -> None:
    """Give what is still buffered a way to go; Python writes it out once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _no_command(words: list[str]) -> tuple[str, int]:
    if words[:1] == ["--version"]:
        return VERSION, ExitCode.DONE
    asked_for_help = not words or words[0] in ("-h", "--help", "help")
    group = [name for name in COMMANDS if words and name.startswith(f"{words[0]} ")]
    if not asked_for_help and not group:
        line = f"selvedge: unknown command {words[0]!r}; see 'selvedge --help'"
        print(line, file=sys.stderr)
        return "", ExitCode.USAGE
    width = max(map(len, COMMANDS))
    rows = [f"  {name:{width}}  {COMMANDS[name][1]}" for name in group or COMMANDS]
    text = "\n".join(["usage: selvedge COMMAND [--json] …\n", *rows])
    if asked_for_help:
        return text, ExitCode.DONE
    print(text, file=sys.stderr)
    return "", ExitCode.USAGE


if __name__ == "__main__":
    sys.exit(main())
