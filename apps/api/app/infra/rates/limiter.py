"""Rate limits by moving windows: counted in memory, or in Redis for all processes."""

import hashlib
import time
from ipaddress import ip_address, ip_network
from uuid import UUID

import structlog
from limits import RateLimitItem
from limits.errors import StorageError

from app.common.breaker import Breaker, BreakerOpen, BreakerState
from app.domain.rates import Allowance, LoginLimitUnavailable, RateLimited
from app.infra.rates.windows import Windows

_log = structlog.get_logger(__name__)


class RateLimits:
    """The `RateLimits` port. A limit that is None is not kept."""

    def __init__(
        self,
        windows: Windows,
        *,
        user: RateLimitItem | None,
        login_address: RateLimitItem | None,
        login_email: RateLimitItem | None,
    ) -> None:
        self._windows = windows
        self._user = user
        self._login_address = login_address
        self._login_email = login_email
        self._breaker = Breaker("rate limits")

    @property
    def breaker(self) -> BreakerState:
        return self._breaker.state

    async def user(self, user_id: UUID) -> Allowance | None:
        if self._user is None:
            return None
        try:
            return await self._take("user", self._user, str(user_id))
        except _Uncounted:
            return None  # open: reading must not depend on a counter

    async def login(self, email: str, client_ip: str | None) -> None:
        try:
            if self._login_address and client_ip:
                await self._take("login-address", self._login_address, _host_of(client_ip))
            if self._login_email:
                # No e-mail address is kept, only what it becomes.
                known_as = hashlib.sha256(email.strip().casefold().encode()).hexdigest()
                await self._take("login-email", self._login_email, known_as)
        except _Uncounted:
            # Closed: guessing passwords must not be free while the counter is away.
            raise LoginLimitUnavailable(
                "Attempts to sign in cannot be counted right now; try again in a moment."
            ) from None

    async def _take(self, policy: str, item: RateLimitItem, whose: str) -> Allowance:
        try:
            permit = self._breaker.admit()
        except BreakerOpen as error:
            raise _Uncounted from error
        try:
            window = await self._windows.take(item, policy, whose)
            permit.succeeded()
        except StorageError as error:
            permit.failed()
            _log.warning("requests cannot be counted", reason=str(error.__cause__ or error))
            raise _Uncounted from error
        finally:
            permit.release()
        allowance = Allowance(
            policy=policy,
            quota=item.amount,
            window_s=item.get_expiry(),
            remaining=max(0, window.remaining),
            reset_s=max(0, round(window.reset_at - time.time())),
        )
        if not window.taken:
            raise RateLimited(allowance)
        return allowance


def _host_of(address: str) -> str:
    """
    Whose an address is, as far as it says: an IPv6 host has a /64 of them at least (RFC 7421), and
    may take another one for each request.
    """
    ip = ip_address(address)
    return str(ip) if ip.version == 4 else str(ip_network((ip, 64), strict=False))


class _Uncounted(Exception):
    """Whoever counts is away."""
