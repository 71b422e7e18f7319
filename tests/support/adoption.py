"""Agents that adopt models, watched from outside."""

import itertools
import json
import random
import time
from collections import Counter
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from agent.models.adapters.model_folder import ModelFolder
from agent.models.machine import MAX_STARTS
from broker.contract.messages import ReleaseStatus, Result
from tests.support.agents import Bench, Fleet, RunningAgent
from tests.support.shipping import shipment

QUICK = {"probation_results": 5, "probation_s": 0.5}
LONG = {"probation_results": 5, "probation_s": 600.0}
LONGEST_LIFE_S = 3.5


def pipeline(bench: Bench, **changes: Any) -> dict[str, Any]:
    return bench.pipeline(learning={"jobs": ["digi*"]}, **changes)


def shipped(fleet: Fleet) -> ReleaseStatus | None:
    status = fleet.status()
    known = status.pipelines.get("digits") if status else None
    return known.shipped if known else None


def serves(fleet: Fleet, number: int, step: str = "idle") -> bool:
    known = shipped(fleet)
    return known is not None and (known.release, known.step) == (number, step)


def refused(fleet: Fleet, number: int, reason: str) -> bool:
    known = shipped(fleet)
    said = (known and known.refused) or ""
    return f"release {number} of digits" in said and reason in said


def results(fleet: Fleet) -> list[Result]:
    return fleet.results.get(("dev-1", "digits"), [])


def last_model(fleet: Fleet) -> str:
    return results(fleet)[-1].model


def turns(fleet: Fleet) -> list[str]:
    """Which models answered, one after another."""
    return [model for model, _ in itertools.groupby(one.model for one in results(fleet))]


def check_sequences(fleet: Fleet) -> None:
    """Every number once and in order, and no input twice in a row."""
    told = results(fleet)
    assert [one.sequence for one in told] == list(range(told[0].sequence, told[-1].sequence + 1))
    assert all(one.input != two.input for one, two in itertools.pairwise(told))


def killed_at_random(
    fleet: Fleet, config: Path, port: int, *, seed: int, kills: int
) -> Counter[str]:
    """Kill an agent again and again while it installs; count in which step each kill fell.

    There is always a model that answers, every release is whole or not there, and in the end the
    last one serves.
    """
    chance = random.Random(seed)
    steps: Counter[str] = Counter()
    number = tries = 0
    journal: dict[str, Any] = {}
    for _ in range(kills):
        is_over = journal.get("decided", {}).get("digits", 0) == number
        if is_over or tries == MAX_STARTS - 1:  # more often and the release would be to blame
            number, tries = number + 1, 0
            shipment(number % 2, number).publish(fleet.client)
        tries += 1
        seen = fleet.count("digits")
        with RunningAgent(config, port) as agent:
            fleet.wait(lambda seen=seen: fleet.count("digits") > seen, 120)
            time.sleep(chance.uniform(0, LONGEST_LIFE_S))
            agent.kill()
            journal = journal_of(agent.state)
            steps[journal.get("state", "none")] += 1
            check_disk(agent.state)
    with RunningAgent(config, port) as agent:
        fleet.wait(lambda: serves(fleet, number), 120)
        assert last_model(fleet) == shipment(number % 2, number).sha256()
        check_disk(agent.state)
    return steps


def journal_of(state: Path) -> dict[str, Any]:
    """What an agent wrote last; before that nothing has begun."""
    with suppress(FileNotFoundError):
        found = json.loads((state / "models" / "journal" / "digits.json").read_bytes())
        assert isinstance(found, dict)
        return found
    return {}


def check_disk(state: Path) -> None:
    """Every folder of a release is whole, and every link leads to one."""
    folder = ModelFolder(state / "models", lambda: 2**30)
    for path in folder.path.glob("*/*"):
        if path.parent.name.endswith(".new") or path.parent.name in ("serving", "journal"):
            continue
        digest = sha256(path.read_bytes()).hexdigest()
        assert digest == (path.parent.name if path.name == "manifest.json" else path.stem)
    for link in (folder.path / "serving").glob("*"):
        assert link.name.endswith(".new") or (link / "manifest.json").is_file()
