"""Whether a failed attempt is worth another, and when."""

from dataclasses import dataclass
from random import Random

MAX_ATTEMPTS = 3
BASE_S = 1.0
CAP_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How an attempt went wrong. `message` is for people: no traceback, no upstream body."""

    code: str
    message: str
    retryable: bool
    #: What the other side asked us to wait, in seconds.
    retry_after_s: float | None = None


def retry_delay_s(
    failure: Failure, attempts: int, *, retry_failed: bool, rng: Random
) -> float | None:
    """
    Seconds to wait before the next attempt after *attempts* were made, or None for no more.

    Full jitter: uniform in [0, `backoff_s`], so that many runs that fail together do not come back
    together; never less than what the other side asked for.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    if not retry_failed or not failure.retryable or attempts >= MAX_ATTEMPTS:
        return None
    return max(rng.uniform(0.0, backoff_s(attempts)), failure.retry_after_s or 0.0)


def backoff_s(attempts: int) -> float:
    """The most to wait after *attempts*: BASE_S, doubled by each but the first, up to CAP_S."""
    return min(CAP_S, BASE_S * 2.0 ** (attempts - 1))
