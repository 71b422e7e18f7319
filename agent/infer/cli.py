"""`selvedge infer`: run a model once on an array."""

import argparse

from agent.infer.report import lines, output_name
from agent.runtime.adapters.child import ask
from agent.runtime.choose import RUNTIMES
from broker.contract.outcome import Outcome


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `infer`."""
    parser.add_argument("model", metavar="MODEL", help="a .tflite, .wasm or .plan file")
    parser.add_argument(
        "--input", required=True, metavar="FILE", help=".npy, or .npz with an array for each input"
    )
    parser.add_argument(
        "--output",
        type=output_name,
        metavar="FILE",
        help="write the outputs here: .npy, or .npz when there are several",
    )
    parser.add_argument(
        "--runtime",
        default="auto",
        choices=("auto", *(runtime.name for runtime in RUNTIMES)),
        help="auto: the first that file and machine have",
    )
    parser.add_argument(
        "--delegate",
        default="xnnpack",
        metavar="NAME",
        help="xnnpack, none, reference, or a library's path",
    )
    parser.add_argument("--threads", type=_threads, default=1, metavar="N", help="of tflite (1)")
    parser.add_argument(
        "--quantize", action="store_true", help="turn float inputs into the model's integers"
    )
    parser.add_argument(
        "--dequantize", action="store_true", help="turn the model's integers into float32"
    )
    parser.add_argument(
        "--deadline", type=_seconds, default=60.0, metavar="S", help="give up after S seconds"
    )


def run(arguments: argparse.Namespace) -> Outcome:
    """Ask a child process, so that a crash of native code is one line."""
    keys = (
        "model",
        "input",
        "output",
        "runtime",
        "delegate",
        "threads",
        "quantize",
        "dequantize",
    )
    question = {key: getattr(arguments, key) for key in keys}
    tree = ask("agent.infer.app", question, arguments.deadline)
    head = f"{tree['runtime']} ({tree['detail']}): {tree['latency_ms']:.3f} ms"
    return Outcome("\n".join([head, *lines(tree["outputs"])]), tree)


def _threads(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 64")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds up to 86400")
    return seconds
