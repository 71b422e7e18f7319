"""The front door: the one script `selvedge`, which hands each command to the package that owns it.

A command's module has `configure(parser)` and `run(arguments) -> Outcome`, and is imported only
when its command is called, so that a small command stays small.
"""

import argparse
import importlib
import json
import os
import sys
from collections.abc import Sequence

from broker.contract.exit_code import ExitCode
from broker.contract.outcome import Outcome
from broker.contract.version import VERSION

COMMANDS = {
    "demo": ("broker.demo.cli", "the whole system on this machine, in a minute"),
    "doctor": ("agent.doctor.cli", "what this machine has, what it lacks, and the remedy"),
    "agent": ("agent.cli", "run the agent"),
    "broker": ("broker.cli", "run a private MQTT broker"),
    "broker init": ("broker.init.cli", "write a mosquitto configuration with certificates"),
    "devices": ("broker.fleet.cli", "list the devices that a broker knows"),
    "config get": ("broker.fleet.get_cli", "print what a device runs and what is desired"),
    "config set": ("broker.fleet.set_cli", "change a device's configuration over MQTT"),
    "config show": ("agent.config.cli", "print this machine's configuration and its origins"),
    "infer": ("agent.infer.cli", "run a model once on an array"),
    "bench": ("agent.bench.cli", "measure models under runtimes"),
    "inspect": ("toolchain.inspect.cli", "say what is in a model"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; no traceback reaches the user."""
    words = list(sys.argv[1:] if argv is None else argv)
    name = next((name for name in (" ".join(words[:2]), *words[:1]) if name in COMMANDS), None)
    if name is None:
        return _no_command(words)
    module = importlib.import_module(COMMANDS[name][0])
    parser = argparse.ArgumentParser(f"selvedge {name}", description=COMMANDS[name][1])
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    module.configure(parser)
    arguments = parser.parse_intermixed_args(words[len(name.split()) :])
    outcome = _guarded(module.run, arguments)
    if arguments.json:
        if outcome.tree:  # empty: the command runs on and has printed its object at its start
            print(json.dumps(outcome.tree))
    elif outcome.text:
        print(outcome.text)
    return outcome.exit_code


def _guarded(run, arguments) -> Outcome:  # type: ignore[no-untyped-def] # noqa: ANN001
    try:
        outcome = run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return Outcome("", {"error": "interrupted"}, ExitCode.USAGE)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Outcome()
    except Exception as error:
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
    assert isinstance(outcome, Outcome)
    return outcome


def _no_command(words: list[str]) -> int:
    asked_for_help = not words or words[0] in ("-h", "--help", "help")
    if words[:1] == ["--version"]:
        print(VERSION)
        return ExitCode.DONE
    out = sys.stdout if asked_for_help else sys.stderr
    group = [name for name in COMMANDS if words and name.startswith(f"{words[0]} ")]
    if not asked_for_help and not group:
        print(f"selvedge: unknown command {words[0]!r}; see 'selvedge --help'", file=out)
        return ExitCode.USAGE
    print("usage: selvedge COMMAND [--json] …\n", file=out)
    for name in group or COMMANDS:
        print(f"  {name:12}  {COMMANDS[name][1]}", file=out)
    return ExitCode.DONE if asked_for_help else ExitCode.USAGE


if __name__ == "__main__":
    sys.exit(main())
