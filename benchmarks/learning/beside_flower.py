"""One contest under Flower and under Selvedge, one after the other, and what is hoped for."""

import os
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.learning import selvedge_side
from benchmarks.learning.contest import Contest, Side
from benchmarks.peers import flower_side
from benchmarks.peers.install import MissingError
from broker.contract.federated.codecs.spec import CodecOptions, CodecSpec

CODECS = {
    "f32": CodecSpec("f32"),
    "int8": CodecSpec("int8"),
    "top_k": CodecSpec("top_k", CodecOptions(0.01, 4)),
}
PEERS = ("flower", "selvedge")


def measure(given: Contest, peers: list[str]) -> dict[str, Any]:
    """All sides, and each figure of ours over Flower's."""
    told: dict[str, Any] = {
        "clients": len(given.fleet.devices),
        "parameters": len(given.first),
        "rounds": given.rounds,
        "sides": [],
    }
    plays: dict[str, Callable[[], list[Side]]] = {
        "flower": lambda: [flower_side.play(given)],
        "selvedge": lambda: selvedge_side.play(given, CODECS),
    }
    for name in peers:
        before = os.getloadavg()[0]
        try:
            sides = plays[name]()
        except MissingError as error:
            told["sides"].append({"system": name, "missing": str(error)})
            continue
        for side in sides:
            row = side.told() | {"load_before": round(before, 1)}
            told["sides"].append(row)
            print(f"{row['system']}: {row['round_s']} s a round", file=sys.stderr)
    told["of_flower"] = ratios(told["sides"])
    return told


def ratios(sides: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each of our sides over Flower's; nothing without it."""
    peers = [side for side in sides if side["system"] == "flower" and "missing" not in side]
    ours = [side for side in sides if side["system"] != "flower" and "missing" not in side]
    return [_ratio(one, peer) for peer in peers for one in ours]


def _ratio(one: dict[str, Any], peer: dict[str, Any]) -> dict[str, Any]:
    def both(side: dict[str, Any]) -> float:
        return float(side["up_bytes"] + side["down_bytes"])

    return {
        "system": one["system"],
        "round_time": round(one["round_s"] / peer["round_s"], 3),
        "up_bytes": round(one["up_bytes"] / peer["up_bytes"], 4),
        "both_ways_bytes": round(both(one) / both(peer), 4),
        "client_rss": round(one["client"]["rss_mb"] / peer["client"]["rss_mb"], 3),
        "server_rss": round(one["server"]["rss_mb"] / peer["server"]["rss_mb"], 3),
    }
