"""Fixtures that every kind of test may use."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

pytest_plugins = [
    "tests.support.brokers",
    "tests.support.agents",
    "tests.support.children",
    "tests.support.service_machine",
    "tests.support.pi_machine",
    "tests.support.pi_service",
]

# A busy machine is no fault, and what ran green runs green again; the campaign looks for more.
settings.register_profile("selvedge", deadline=None, derandomize=True)
settings.register_profile("quick", parent=settings.get_profile("selvedge"), max_examples=20)
settings.register_profile("campaign", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("selvedge")


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """A command that a test runs in this process may take Ctrl-C; afterwards it ends the run."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
