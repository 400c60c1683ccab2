"""When a failed attempt is tried again."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.retry import CAP_S, MAX_ATTEMPTS, Failure, backoff_s, retry_delay_s


def a_failure(*, retryable: bool = True, after_s: float | None = None) -> Failure:
    return Failure(code="x", message="X.", retryable=retryable, retry_after_s=after_s)


@given(attempts=st.integers(1, MAX_ATTEMPTS - 1), seed=st.integers())
def test_delays_lie_between_nothing_and_the_doubled_base(attempts: int, seed: int) -> None:
    delay = retry_delay_s(a_failure(), attempts, retry_failed=True, rng=Random(seed))
    assert delay is not None
    assert 0 <= delay <= backoff_s(attempts)


@given(seed=st.integers(), after_s=st.floats(0, 3600))
def test_what_the_other_side_asks_for_is_waited(seed: int, after_s: float) -> None:
    failure = a_failure(after_s=after_s)
    delay = retry_delay_s(failure, 1, retry_failed=True, rng=Random(seed))
    assert delay is not None
    assert after_s <= delay <= max(after_s, backoff_s(1))


def test_the_backoff_doubles_and_is_capped() -> None:
    longest = [backoff_s(n) for n in range(1, 1000)]
    assert longest[:7] == [1, 2, 4, 8, 16, 32, 60]
    assert set(longest[6:]) == {CAP_S}


@pytest.mark.parametrize(
    ("failure", "attempts", "retry_failed"),
    [
        (a_failure(), MAX_ATTEMPTS, True),
        (a_failure(), MAX_ATTEMPTS + 1, True),
        (a_failure(retryable=False), 1, True),
        (a_failure(retryable=False, after_s=5), 1, True),
        (a_failure(), 1, False),
    ],
)
def test_some_failures_are_final(failure: Failure, attempts: int, retry_failed: bool) -> None:
    assert retry_delay_s(failure, attempts, retry_failed=retry_failed, rng=Random(1)) is None


def test_three_attempts_are_made_in_all() -> None:
    assert MAX_ATTEMPTS == 3
