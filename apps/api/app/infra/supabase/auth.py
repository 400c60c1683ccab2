"""IdentityProvider over Supabase Auth's HTTP API (libraries.md §1)."""

import asyncio
import hashlib
import math
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
import structlog

from app.common.breaker import Breaker, BreakerOpen, BreakerState
from app.domain.users import AuthUnavailable, Session
from app.infra.supabase.answers import (
    CONFLICT,
    Grant,
    error_code,
    parse_json,
    parse_session,
    refusal,
    unavailable,
)

#: Only keys of this form may speak for the address of an end user.
SECRET_KEY_PREFIX = "sb_secret_"  # noqa: S105  the form, not a key
_GRANTS = {Grant.PASSWORD: "password", Grant.REFRESH: "refresh_token"}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: object
    code: str | None


class SupabaseAuth:
    """One call is one request; only the refresh that lost a race on the server is sent twice."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        api_key: str,
        breaker: Breaker,
        *,
        conflict_pause_s: float = 0.1,
    ) -> None:
        """*url* ends in `/auth/v1`. Without a secret key Supabase sees one client: us."""
        self._http = http
        self._breaker = breaker
        self._url = url
        self._api_key = api_key
        self._conflict_pause_s = conflict_pause_s
        self._refreshing: dict[bytes, asyncio.Task[Session]] = {}

    async def login(
        self, email: str, password: str, *, captcha_token: str | None, client_ip: str | None
    ) -> Session:
        body: dict[str, object] = {"email": email, "password": password}
        if captcha_token is not None:
            body["gotrue_meta_security"] = {"captcha_token": captcha_token}
        return await self._token(Grant.PASSWORD, body, client_ip)

    async def refresh(self, refresh_token: str, *, client_ip: str | None) -> Session:
        # Two tabs that refresh at once must not look like a stolen token. The task is shielded:
        # when one of its callers goes away, the others still get the answer.
        key = hashlib.sha256(refresh_token.encode("utf-8", "replace")).digest()
        task = self._refreshing.get(key)
        if task is None:
            body = {"refresh_token": refresh_token}
            task = asyncio.create_task(self._token(Grant.REFRESH, body, client_ip))
            self._refreshing[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(task)

    async def logout(self, access_token: str) -> None:
        headers = {"Authorization": f"Bearer {access_token}"}
        reply = await self._call("POST", "/logout?scope=local", headers=headers)
        # A code means that Supabase Auth itself spoke, not its gateway: the session is over.
        already_over = reply.status in (401, 403, 404) and reply.code is not None
        if not already_over and not 200 <= reply.status < 300:
            raise _at_fault(reply)

    @property
    def breaker(self) -> BreakerState:
        return self._breaker.state

    async def health(self) -> None:
        # Also while it is left alone: a look must see what is.
        reply = await self._send("GET", "/health")
        if reply.status != 200:
            raise _at_fault(reply)

    async def _token(
        self, grant: Grant, body: Mapping[str, object], client_ip: str | None
    ) -> Session:
        path = f"/token?grant_type={_GRANTS[grant]}"
        headers = {}
        if client_ip is not None and self._api_key.startswith(SECRET_KEY_PREFIX):
            headers["Sb-Forwarded-For"] = client_ip
        reply = await self._call("POST", path, body, headers)
        if reply.code == CONFLICT:
            # S311: the jitter keeps the two that collided apart, it guards nothing.
            await asyncio.sleep(self._conflict_pause_s * random.uniform(0.5, 2.0))  # noqa: S311
            reply = await self._call("POST", path, body, headers)
        if reply.status == 200:
            try:
                return parse_session(reply.body, now=time.time())
            except ValueError as error:
                raise unavailable("it answered without a session") from error
        refused = refusal(grant, reply.status, reply.code)
        if refused is None:
            raise _at_fault(reply)
        _log.info("sign-in refused", grant=grant.name.lower(), auth_code=reply.code)
        raise refused

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> _Reply:
        try:
            permit = self._breaker.admit()
        except BreakerOpen as error:
            away = unavailable("it has failed too often just now")
            away.retry_after_s = math.ceil(error.wait_s)
            raise away from error
        try:
            reply = await self._send(method, path, body, headers)
        except AuthUnavailable:
            permit.failed()
            raise
        else:
            if reply.status >= 500:
                permit.failed()
            else:
                permit.succeeded()
            return reply
        finally:
            permit.release()

    async def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> _Reply:
        try:
            async with self._http.request(
                method,
                self._url + path,
                json=body,
                headers={"apikey": self._api_key, **(headers or {})},
                allow_redirects=False,
            ) as answer:
                parsed = parse_json(await answer.read())
                return _Reply(answer.status, parsed, error_code(parsed, answer.headers))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise unavailable(type(error).__name__) from error

    def _forget(self, key: bytes, done: asyncio.Task[Session]) -> None:
        del self._refreshing[key]
        if not done.cancelled():
            done.exception()  # its callers may all be gone; asyncio would complain about that


def _at_fault(reply: _Reply) -> AuthUnavailable:
    """Supabase or its set-up is to blame: 5xx, an API key it does not take, an unknown code."""
    _log.error("unexpected answer of Supabase Auth", status=reply.status, auth_code=reply.code)
    error = unavailable(f"it answered {reply.status}")
    if reply.code == CONFLICT:
        error.retry_after_s = 1
    return error
