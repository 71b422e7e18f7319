"""The doctor in a machine that works, and with one fault after the other planted in it."""

import time
from dataclasses import replace

import pytest

from deploy.guest.namespace import NamespaceMachine
from tests.support.doctor_faults import CLOCK_FAULTS, FAULTS, Fault, Findings, findings, must_find
from tests.support.service_machine import needs_root, own_clock

pytestmark = needs_root


@pytest.fixture(scope="module")
def told_when_well(machine: NamespaceMachine) -> Findings:
    return findings(machine)


def test_a_machine_that_works_has_no_problem(told_when_well: Findings) -> None:
    said = {each["check"]: each["text"] for each in told_when_well if each["level"] == "ok"}
    assert said["service"] == "selvedge-agent is active"
    assert said["broker"].startswith("mqtts://localhost:8883 accepted")
    assert said["configuration"] == "/etc/selvedge/agent.toml"
    assert [each for each in told_when_well if each["level"] == "problem"] == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_named_with_its_remedy(
    machine: NamespaceMachine, told_when_well: Findings, fault: Fault
) -> None:
    must_find(machine, fault, told_when_well)


@pytest.mark.parametrize("fault", CLOCK_FAULTS, ids=lambda fault: fault.name)
def test_so_is_a_clock_that_was_not_set(
    machine: NamespaceMachine, told_when_well: Findings, fault: Fault
) -> None:
    # The clock of a namespace is everybody's: only the doctor sees another one.
    seen = f"env {' '.join(own_clock(machine, 86_400 - int(time.time())))}"
    must_find(machine, replace(fault, plant="", mend="", under=seen), told_when_well)
