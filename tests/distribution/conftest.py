"""Fixtures of the tests of distribution."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.live import Live
from tests.support.live import live as opened


@pytest.fixture
def live() -> Iterator[Live]:
    """Make publishers and clients of one test; they are closed at its end."""
    with opened() as made:
        yield made
