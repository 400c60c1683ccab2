"""The short form of `make chaos`: processes are killed, and nothing is lost or done twice."""

import pytest

from tests.benches import assert_passes


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_is_lost_while_everything_is_killed() -> None:
    assert_passes("chaos", "--executions", "40", "--seconds", "10", "--seed", "11", "--untimed")
