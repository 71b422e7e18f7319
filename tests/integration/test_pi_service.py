"""The service in an emulated Pi: what the doctor finds, and what cannot be done from inside."""

import os

import pytest

from deploy.emulator.machine import HOST, NEIGHBOUR
from tests.support.doctor_faults import TEN, Fault, Findings, findings, must_find
from tests.support.pi_service import PIPELINE, ServingPi
from tests.support.service_machine import AGENT
from tests.support.service_probe import (
    CONFINED,
    FILTERED,
    REACHED,
    broker_only,
    explained,
    from_inside,
    from_outside,
    still_open,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="file systems are made by root")


def levels(found: Findings) -> list[tuple[str, str]]:
    return [(each["check"], each["level"]) for each in found]


def test_a_pi_that_works_has_no_problem(told_when_well: Findings) -> None:
    said = {each["check"]: each["text"] for each in told_when_well if each["level"] == "ok"}
    assert said["service"] == "selvedge-agent is active"
    assert said["broker"].startswith(f"mqtts://{HOST}")
    assert said["simd"] == "asimd"
    assert [each for each in told_when_well if each["level"] == "problem"] == []


@pytest.mark.parametrize("fault", TEN, ids=lambda fault: fault.name)
def test_a_fault_is_named_with_its_remedy(
    serving_pi: ServingPi, told_when_well: Findings, fault: Fault
) -> None:
    must_find(serving_pi.machine.agent, fault, told_when_well)


def test_what_was_planted_is_gone(serving_pi: ServingPi, told_when_well: Findings) -> None:
    assert levels(findings(serving_pi.machine.agent)) == levels(told_when_well)


def test_what_stays_open_is_explained(
    serving_pi: ServingPi, capsys: pytest.CaptureFixture[str]
) -> None:
    score, found = still_open(serving_pi.machine.agent, AGENT)
    with capsys.disabled():
        print(f"\n{score}: {found}")
    listed = explained("agent")
    assert float(found["IPAddressDeny="]) < float(listed["IPAddressDeny="])  # it has a list here
    assert found | {"IPAddressDeny=": listed["IPAddressDeny="]} == listed


def test_from_inside_the_service_little_can_be_reached(serving_pi: ServingPi) -> None:
    pi, broker = serving_pi.machine, f"{HOST}:{serving_pi.broker.port}"
    # A copy: the folder of modules cannot even be read in there.
    module = "/opt/overlay.ko"
    pi.must("cp", pi.must("modinfo", "-n", "overlay").strip(), module)
    inside = from_inside(pi.agent, module, broker, NEIGHBOUR, lines=broker_only(HOST))
    assert inside | CONFINED == inside
    assert inside["uid"] != 0
    assert inside["reaches"] == {broker: REACHED, NEIGHBOUR: FILTERED}
    without_list = from_inside(pi.agent, module, broker, NEIGHBOUR)
    assert without_list["reaches"] == {broker: REACHED, NEIGHBOUR: REACHED}
    outside = from_outside(pi.agent, module, broker, NEIGHBOUR)
    assert not [name for name in CONFINED if outside[name] == inside[name]], outside
    assert outside["loads module"] == "done"


def test_of_devices_only_the_listed_can_be_opened(serving_pi: ServingPi) -> None:
    pi, devices = serving_pi.machine, ("video0", "ttyAMA0", "ttyS0", "vda", "kmsg")
    unit = pi.must("cat", f"/lib/systemd/system/{AGENT}")
    lines = [f"-p{line}" for line in unit.splitlines() if line.startswith("Device")]
    tries = "; ".join(f"(exec 3<>/dev/{name}) 2>&1 || true" for name in devices)
    told = pi.must("systemd-run", "--wait", "--pipe", "-q", *lines, "sh", "-c", tries)
    refused = [line for line in told.splitlines() if "not permitted" in line]
    assert [name for name in devices if f"/dev/{name}:" in "".join(refused)] == ["vda", "kmsg"]


def test_the_agent_serves_with_nobody_but_its_broker_on_the_list(serving_pi: ServingPi) -> None:
    shown = ["systemctl", "show", AGENT, "-p", "IPAddressAllow", "-p", "IPAddressDeny"]
    told = serving_pi.machine.must(*shown).split()
    assert f"IPAddressAllow={HOST}/32" in told
    assert "IPAddressDeny=::/0" in told or "IPAddressDeny=0.0.0.0/0" in told
    before = len(serving_pi.watch.of(PIPELINE))
    serving_pi.watch.wait(lambda: len(serving_pi.watch.of(PIPELINE)) > before, 120)
