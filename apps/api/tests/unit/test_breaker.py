"""A service that fails is left alone for a while, then asked once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.common.breaker import Breaker, BreakerOpen, BreakerState


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def breaker(time: Time) -> Breaker:
    return Breaker("suna", window_s=30, min_failures=3, pause_s=5, clock=time)


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        breaker.admit().failed()


def test_it_opens_after_enough_failures_and_says_how_long(breaker: Breaker) -> None:
    fail(breaker, 2)
    assert breaker.state is BreakerState.CLOSED
    fail(breaker)
    assert breaker.state is BreakerState.OPEN
    with pytest.raises(BreakerOpen) as refused:
        breaker.admit()
    assert refused.value.wait_s == 5


def test_few_failures_among_many_calls_open_nothing(breaker: Breaker) -> None:
    for _ in range(10):
        breaker.admit().succeeded()
    fail(breaker, 9)
    assert breaker.state is BreakerState.CLOSED
    fail(breaker)
    assert breaker.state is BreakerState.OPEN


def test_failures_of_long_ago_are_forgotten(breaker: Breaker, time: Time) -> None:
    fail(breaker, 2)
    time.now += 31
    fail(breaker, 2)
    assert breaker.state is BreakerState.CLOSED


def test_after_the_pause_exactly_one_call_finds_out(breaker: Breaker, time: Time) -> None:
    fail(breaker, 3)
    time.now += 5
    assert breaker.state is BreakerState.HALF_OPEN
    probe = breaker.admit()
    for _ in range(3):
        with pytest.raises(BreakerOpen):
            breaker.admit()
    probe.succeeded()
    assert breaker.state is BreakerState.CLOSED
    fail(breaker, 2)
    assert breaker.state is BreakerState.CLOSED, "the failures of before are forgotten"


def test_a_probe_that_fails_begins_another_pause(breaker: Breaker, time: Time) -> None:
    fail(breaker, 3)
    time.now += 5
    fail(breaker)
    assert breaker.state is BreakerState.OPEN
    time.now += 4.9
    with pytest.raises(BreakerOpen):
        breaker.admit()


def test_a_probe_that_is_given_up_lets_the_next_one_through(breaker: Breaker, time: Time) -> None:
    fail(breaker, 3)
    time.now += 5
    breaker.admit().release()
    breaker.admit().succeeded()
    assert breaker.state is BreakerState.CLOSED


def test_only_the_first_word_of_a_call_counts(breaker: Breaker) -> None:
    for _ in range(3):
        permit = breaker.admit()
        permit.succeeded()
        permit.failed()
        permit.release()
    assert breaker.state is BreakerState.CLOSED


def test_old_calls_that_fail_late_do_not_lengthen_the_pause(breaker: Breaker, time: Time) -> None:
    old = breaker.admit()
    fail(breaker, 3)
    time.now += 4
    old.failed()
    time.now += 1
    breaker.admit().succeeded()


@given(
    st.lists(
        st.tuples(st.sampled_from(["ok", "fail", "release"]), st.floats(0, 40, allow_nan=False))
    )
)
def test_it_never_stays_shut(steps: list[tuple[str, float]]) -> None:
    """Whatever happened: a pause later somebody is let through, and success closes it."""
    time = Time()
    breaker = Breaker("suna", clock=time)
    waits = []
    for what, passes in steps:
        time.now += passes
        try:
            permit = breaker.admit()
        except BreakerOpen as refused:
            waits.append(refused.wait_s)
            continue
        {"ok": permit.succeeded, "fail": permit.failed, "release": permit.release}[what]()
    time.now += 5
    breaker.admit().succeeded()
    assert breaker.state is BreakerState.CLOSED
    assert all(0 < wait <= 5 for wait in waits)
