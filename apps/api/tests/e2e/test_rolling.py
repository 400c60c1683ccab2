"""The short form of `python -m bench.rolling`: a deploy under 100 live sockets loses no event."""

import pytest

from tests.benches import assert_passes


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_rolling_restart_loses_no_event() -> None:
    assert_passes("rolling", "--sockets", "100", "--rounds", "1")
