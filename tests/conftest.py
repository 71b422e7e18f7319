"""Fixtures that every kind of test may use."""

from hypothesis import settings

pytest_plugins = [
    "tests.support.brokers",
    "tests.support.agents",
    "tests.support.children",
    "tests.support.service_machine",
    "tests.support.pi_machine",
]

# A busy machine is no fault, and what ran green runs green again; the campaign looks for more.
settings.register_profile("selvedge", deadline=None, derandomize=True)
settings.register_profile("quick", parent=settings.get_profile("selvedge"), max_examples=20)
settings.register_profile("campaign", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("selvedge")
