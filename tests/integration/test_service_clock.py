"""A service that starts in 1970, as on a Pi without a battery, until the clock is set."""

import json
import time

from deploy.guest.namespace import NamespaceMachine
from tests.support.service_machine import (
    RUNTIMES,
    drop_in,
    eventually,
    hear,
    journal,
    needs_root,
    without_drop_ins,
)

CLOCK = "srv/clock"
SYNCED = "run/systemd/timesync/synchronized"
FAKED = f"""\
[Service]
Environment=LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1
Environment=FAKETIME_TIMESTAMP_FILE=/{CLOCK} FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1
"""
YEAR_MS = 365 * 86_400_000

pytestmark = needs_root


def test_the_time_before_the_clock_was_set_is_told(machine: NamespaceMachine) -> None:
    (machine.root / CLOCK).write_text("@1970-01-02 00:00:00\n")
    drop_in(machine, "clock", FAKED)
    assert eventually(lambda: "waiting for the clock" in journal(machine), 30), journal(machine)
    time.sleep(1)  # results for the outbox
    (machine.root / CLOCK).write_text("+0\n")
    machine.run("mkdir", "-p", "/run/systemd/timesync")
    machine.run("touch", f"/{SYNCED}")
    results = hear(machine, *RUNTIMES)
    early = [result for result in results if result["time_ms"] < YEAR_MS]
    assert early, "nothing of 1970 arrived"
    assert not any(result["time_synced"] for result in early)
    assert all(result["late"] for result in early)
    assert all(result["monotonic_ms"] > 0 for result in results)
    later: list[dict[str, object]] = []
    assert eventually(
        lambda: bool(later.extend(hear(machine, "tflite")) or later[-1]["time_synced"]), 60
    ), json.dumps(later[-1])
    assert abs(float(str(later[-1]["time_ms"])) / 1000 - time.time()) < 60
    without_drop_ins(machine)
