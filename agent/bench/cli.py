"""`selvedge bench`: measure models under runtimes, each in a fresh process."""

import argparse
import sys
from typing import Any

from tqdm import tqdm

from agent.bench.table import row, table
from agent.errors import AgentError
from agent.runtime.adapters.child import ask
from agent.runtime.choose import RUNTIMES
from broker.contract.exit_code import ExitCode
from broker.contract.outcome import Outcome

DEADLINE_S = 120.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `bench`."""
    parser.add_argument("models", metavar="MODEL", nargs="+", help=".tflite, .wasm or .plan files")
    parser.add_argument(
        "--runtimes",
        type=_runtimes,
        default=["auto"],
        metavar="A,B",
        help="names, tflite with :DELEGATE if wanted: tflite:none, tflite:reference, wasmtime",
    )
    parser.add_argument("--repeat", type=_count, default=200, metavar="N", help="runs (200)")
    parser.add_argument("--threads", type=_count, default=1, metavar="N", help="of tflite (1)")


def run(arguments: argparse.Namespace) -> Outcome:
    """Measure every model under every runtime; one that fails does not stop the others."""
    cases = [(model, runtime) for model in arguments.models for runtime in arguments.runtimes]
    rows, exit_code = [], ExitCode.DONE
    for model, runtime in tqdm(cases, unit="model", disable=not sys.stderr.isatty()):
        name, _, delegate = runtime.partition(":")
        question = {
            "model": model,
            "runtime": name,
            "delegate": delegate or "xnnpack",
            "threads": arguments.threads,
            "repeat": arguments.repeat,
        }
        try:
            answer: dict[str, Any] = ask("agent.bench.app", question, DEADLINE_S)
        except AgentError as error:
            answer = {"error": str(error)}
            exit_code = exit_code or error.exit_code
        served = runtime.replace("auto", answer.get("runtime", "auto"), 1)
        rows.append(row(model, served, answer))
    return Outcome(table(rows), {"results": rows}, exit_code)


def _runtimes(text: str) -> list[str]:
    names = ["auto", *(runtime.name for runtime in RUNTIMES)]
    wanted = text.split(",")
    for word in wanted:
        if word.partition(":")[0] not in names:
            raise argparse.ArgumentTypeError(f"{word!r} is not one of {', '.join(names)}")
    return wanted


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1000000")
    return int(text)
