"""How often something may be asked for (api.md §1)."""

from dataclasses import dataclass

from app.domain.errors import LimitReached, Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is left of a limit."""

    policy: str
    #: So many requests in so many seconds.
    quota: int
    window_s: int
    remaining: int
    #: Until the oldest request counts no longer.
    reset_s: int


class RateLimited(LimitReached):
    """Too many requests of this kind within a short time; wait as long as `Retry-After` says."""

    code = "rate_limited"
    title = "Too many requests"

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        self.retry_after_s = max(1, allowance.reset_s)
        super().__init__(
            f"At most {allowance.quota} requests in {allowance.window_s} s are allowed here "
            f"({allowance.policy}); try again in {self.retry_after_s} s."
        )


class LoginLimitUnavailable(Unavailable):
    """Attempts to sign in cannot be counted right now, so none is let through."""

    code = "login_limit_unavailable"
    title = "Sign-in is closed for a moment"
