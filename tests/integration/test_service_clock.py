"""A service that starts in 1970, as on a Pi without a battery, until the clock is set."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

from deploy.guest.namespace import NamespaceMachine
from tests.support.service_machine import (
    RUNTIMES,
    drop_in,
    eventually,
    hear,
    journal,
    needs_root,
    own_clock,
    without_drop_ins,
)

YEAR_MS = 365 * 86_400_000

pytestmark = needs_root


def test_the_time_before_the_clock_was_set_is_told(machine: NamespaceMachine) -> None:
    settings = own_clock(machine, 86_400 - int(time.time()))
    drop_in(machine, "clock", f"[Service]\nEnvironment={' '.join(settings)}\n")
    said = ("waiting for the clock", *(f"digits-{name}: serves" for name in RUNTIMES))
    assert eventually(lambda: all(each in journal(machine) for each in said), 60), journal(machine)
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(hear, machine, *RUNTIMES)
        assert eventually(lambda: machine.run("test", "-e", "/run/ear").returncode == 0, 30)
        own_clock(machine, 0)
        machine.run("mkdir", "-p", "/run/systemd/timesync")
        machine.run("touch", "/run/systemd/timesync/synchronized")
        results = heard.result()
    early = [result for result in results if result["time_ms"] < YEAR_MS]
    assert early, "nothing of 1970 arrived"
    assert not any(result["time_synced"] for result in early)
    assert any(result.get("late") for result in early)
    assert all(result["monotonic_ms"] > 0 for result in results)
    later: list[dict[str, object]] = []
    assert eventually(
        lambda: bool(later.extend(hear(machine, "tflite")) or later[-1]["time_synced"]), 60
    ), json.dumps(later[-1])
    assert abs(float(str(later[-1]["time_ms"])) / 1000 - time.time()) < 60
    without_drop_ins(machine)
