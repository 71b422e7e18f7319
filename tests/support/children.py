"""Processes that a test may not leave behind."""

from collections.abc import Iterable, Iterator

import psutil
import pytest


def children() -> set[int]:
    """Of this process; among them the dead that nobody waited for."""
    return {child.pid for child in psutil.Process().children()}


def have_ended(processes: Iterable[psutil.Process]) -> bool:
    """Whether none of them runs, waited for or not."""
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)


@pytest.fixture
def leaves_no_child() -> Iterator[None]:
    """What the test starts has ended with it; what fixtures of wider scope run may live on."""
    before = children()
    yield
    assert children() <= before
