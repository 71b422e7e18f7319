"""The faults that the default tests plant in namespaces only, on an emulated Pi."""

import os

import pytest

from tests.support.doctor_faults import OTHERS, Fault, Findings, must_find
from tests.support.pi_service import ServingPi

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="file systems are made by root")


@pytest.mark.parametrize("fault", OTHERS, ids=lambda fault: fault.name)
def test_a_fault_is_named_with_its_remedy(
    serving_pi: ServingPi, told_when_well: Findings, fault: Fault
) -> None:
    must_find(serving_pi.machine.agent, fault, told_when_well)
