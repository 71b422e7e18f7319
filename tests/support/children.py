"""Processes that a test may not leave behind."""

from collections.abc import Iterator

import psutil
import pytest


def children() -> set[int]:
    """Of this process; among them the dead that nobody waited for."""
    return {child.pid for child in psutil.Process().children()}


@pytest.fixture
def leaves_no_child() -> Iterator[None]:
    """What the test starts has ended with it; what fixtures of wider scope run may live on."""
    before = children()
    yield
    assert children() <= before
