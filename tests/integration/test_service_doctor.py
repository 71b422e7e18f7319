"""The doctor in a machine that works, and with one fault after the other planted in it."""

import time
from dataclasses import replace

import pytest

from deploy.guest.namespace import NamespaceMachine
from tests.support.doctor_faults import CLOCK_FAULTS, FAULTS, Fault, diagnosed, findings, names
from tests.support.service_machine import needs_root, own_clock

pytestmark = needs_root


def test_a_machine_that_works_has_no_problem(machine: NamespaceMachine) -> None:
    said = {each["check"]: each["text"] for each in findings(machine) if each["level"] == "ok"}
    assert said["service"] == "selvedge-agent is active"
    assert said["broker"].startswith("mqtts://localhost:8883 accepted")
    assert said["configuration"] == "/etc/selvedge/agent.toml"
    assert [each for each in findings(machine) if each["level"] == "problem"] == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_named_with_its_remedy(machine: NamespaceMachine, fault: Fault) -> None:
    found = diagnosed(machine, fault)
    assert any(names(each, fault) for each in found), found


@pytest.mark.parametrize("fault", CLOCK_FAULTS, ids=lambda fault: fault.name)
def test_so_is_a_clock_that_was_not_set(machine: NamespaceMachine, fault: Fault) -> None:
    settings = own_clock(machine, 86_400 - int(time.time()))
    found = diagnosed(machine, replace(fault, under=f"env {' '.join(settings)}"))
    assert any(names(each, fault) for each in found), found
