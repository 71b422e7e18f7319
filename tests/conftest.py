"""Fixtures that every kind of test may use."""

from hypothesis import settings

pytest_plugins = ["tests.support.brokers", "tests.support.agents"]

settings.register_profile("selvedge", deadline=None)  # a busy machine is no fault
settings.register_profile("quick", parent=settings.get_profile("selvedge"), max_examples=20)
settings.load_profile("selvedge")
