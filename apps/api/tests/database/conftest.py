"""What the suites of the database share."""

from collections.abc import Iterator

import pytest

from renum_sandbox.testing import RunningSandbox, running_sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(speed=0.0) as running:
        yield running
