"""What compression of updates costs in accuracy, on the contest's network and data."""

import sys
from dataclasses import replace
from typing import Any

from benchmarks.learning import accuracy, play
from benchmarks.learning.contest import LOCAL, SLICE_PARAMETERS, Contest
from broker.contract.federated.codecs.spec import CodecOptions, CodecSpec
from broker.contract.federated.job import StrategySpec

CODECS = {
    "f32": CodecSpec("f32"),
    "int8": CodecSpec("int8"),
    "int4": CodecSpec("int4"),
    "one_bit": CodecSpec("one_bit"),
    "top_k 1 % int4": CodecSpec("top_k", CodecOptions(0.01, 4)),
}


def measure(given: Contest) -> dict[str, Any]:
    """FedAvg under each codec, all else equal."""
    rows: list[dict[str, Any]] = []
    for name, codec in CODECS.items():
        spec = replace(
            play.job(given.first, given.fleet, LOCAL, StrategySpec(), given.rounds, codec),
            slice_parameters=SLICE_PARAMETERS.get(codec.name, 8192),
        )
        trainer = play.trainer_of(given.network)
        curve = list(play.Played(spec, given.fleet, trainer, given.first, 1).run())
        final = accuracy.last(curve)
        print(f"{name}: {100 * final:.2f} %", file=sys.stderr)
        rows.append(
            {
                "codec": name,
                "upload_bytes": round(curve[-1].upload_bytes),
                "accuracy": [round(score.accuracy, 4) for score in curve],
                "final_accuracy": round(final, 4),
            }
        )
    return {"parameters": len(given.first), "rounds": given.rounds, "rows": rows}
