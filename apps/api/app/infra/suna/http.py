"""One way to ask Suna: who asks, limits of time, the breaker, and its refusals in our words."""

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self

import aiohttp
import stamina
import structlog
from pydantic_core import from_json

from app.common.breaker import Breaker, BreakerOpen
from app.common.text import storable
from app.domain.agents import RunLost, SunaRefused, SunaUnavailable
from app.infra.suna.credentials import Credential

_log = structlog.get_logger(__name__)

TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
#: A stream has no end of its own; silence ends it.
STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)

#: Seconds that we wait at most because Suna asks us to.
MAX_WAIT_S = 3600.0
#: A read that Suna puts off for longer is given up: somebody waits for its answer.
_PATIENCE_S = 2.0

#: What means that Suna, or something before it, is away: not a word about our request.
AWAY = (408, 429, 500, 502, 503, 504)

_FAILED = (aiohttp.ClientError, TimeoutError)


class SunaHttp:
    """Requests below one base URL, which ends in `/api` or `/v1`, in one name."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        credential: Credential,
        breaker: Breaker,
    ) -> None:
        self._session = session
        self.base_url = base_url
        self._credential = credential
        self._breaker = breaker
        self.stream_timeout = STREAM_TIMEOUT

    def acting_as(self, credential: Credential) -> Self:
        """The same Suna, asked in another name."""
        return type(self)(self._session, self.base_url, credential, self._breaker)

    async def get(self, path: str, **params: str | int) -> Any:  # noqa: ANN401  JSON
        """Parsed JSON; tried three times. Raises SunaUnavailable, SunaRefused, RunLost (404)."""
        async for attempt in stamina.retry_context(
            on=_soon, attempts=3, wait_initial=0.1, wait_max=2.0, timeout=None
        ):
            with attempt:
                return await self._get(path, params)
        raise AssertionError  # pragma: no cover  stamina raises the last error

    async def post(self, path: str) -> None:
        """For what is safe to repeat, and answers nothing of interest. Raises as `get` does."""
        try:
            async with self.request("POST", path) as response:
                self._accept(response, path)
        except _FAILED as error:
            raise away(error) from error

    async def health(self) -> None:
        """Ask even while everything else is held back: a look must see what is. Raises as `get`."""
        try:
            async with self._session.get(
                f"{self.base_url}/health", allow_redirects=False
            ) as response:
                self._accept(response, "health")
        except _FAILED as error:
            raise away(error) from error

    @asynccontextmanager
    async def stream(self, path: str) -> AsyncIterator[aiohttp.StreamReader]:
        """The body of an event stream. Raises as `get` does, and from reading SunaUnavailable."""
        try:
            async with (
                asyncio.timeout(TIMEOUT.total) as until_it_begins,
                self.request(
                    "GET",
                    path,
                    headers={"Accept": "text/event-stream"},
                    timeout=self.stream_timeout,
                ) as response,
            ):
                until_it_begins.reschedule(None)
                self._accept(response, path)
                yield response.content
        except _FAILED as error:
            raise away(error) from error

    @asynccontextmanager
    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        **options: Any,  # noqa: ANN401  of aiohttp
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """
        Send one request, once, and hand out whatever answer comes.

        Raises SunaUnavailable when nothing was sent, because Suna is left alone for a while; the
        errors of the connection are aiohttp's own, for what they mean depends on the request.
        """
        ours = {**_request_id(), **self._credential.headers(), **(headers or {})}
        try:
            permit = self._breaker.admit()
        except BreakerOpen as error:
            seconds = math.ceil(error.wait_s)
            raise SunaUnavailable(
                f"Suna has failed too often just now; it is asked again in {seconds} s.",
                wait_s=error.wait_s,
            ) from error
        try:
            async with self._session.request(
                method,
                f"{self.base_url}/{path}",
                headers=ours,
                # Wherever a redirect leads, the key must not follow.
                allow_redirects=False,
                **options,
            ) as response:
                if response.status >= 500:
                    permit.failed()
                else:
                    permit.succeeded()
                yield response
        except _FAILED:
            permit.failed()  # without an answer; after one, the answer has spoken
            raise
        finally:
            permit.release()

    def refusal(self, response: aiohttp.ClientResponse, path: str) -> Exception:
        """What a status other than 2xx means to us; its body stays there (suna.md §1.2)."""
        status = response.status
        _log.warning("suna refused", status=status, path=path.partition("?")[0])
        said = f"Suna answered {status}{_name_of(response)}"
        if status in AWAY:
            return SunaUnavailable(f"{said}.", wait_s=asked_wait_s(response))
        if status < 400:
            return SunaRefused(f"{said}, a redirect: set SUNA_API_URL to where it leads.")
        if status == 404:
            return RunLost(f"Suna does not know this run any more{_name_of(response)}.")
        if status == 401:
            return SunaRefused(f"{said}, it did not let Renum in: {self._credential.advice}.")
        if status == 402:
            return SunaRefused(f"{said}: the account has no credit left, or not for this model.")
        if status == 403:
            return SunaRefused(
                f"{said}: custom agents may be switched off there, or the agent or run belongs to "
                "another account."
            )
        return SunaRefused(f"{said}, it did not accept the request.")

    async def _get(self, path: str, params: Mapping[str, str | int]) -> Any:  # noqa: ANN401  JSON
        try:
            async with self.request("GET", path, params=params) as response:
                self._accept(response, path)
                return from_json(await response.read())
        except (*_FAILED, ValueError) as error:
            raise away(error) from error

    def _accept(self, response: aiohttp.ClientResponse, path: str) -> None:
        if response.status >= 300:
            raise self.refusal(response, path)


def away(error: Exception) -> SunaUnavailable:
    if isinstance(error, ValueError):
        return SunaUnavailable("Suna's answer is not readable; something else may be in its place.")
    return SunaUnavailable(f"Suna does not answer ({type(error).__name__}).")


def asked_wait_s(response: aiohttp.ClientResponse) -> float | None:
    """Seconds of `Retry-After`, as a number or a date (RFC 9110 §10.2.3); at most an hour."""
    asked = response.headers.get("Retry-After", "")
    try:
        wait_s = float(asked)
    except ValueError:
        try:
            wait_s = (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(wait_s, MAX_WAIT_S) if wait_s > 0 else None


def _soon(error: Exception) -> bool | float:
    """Whether, and in how many seconds, a read is tried again."""
    if not isinstance(error, SunaUnavailable):
        return False
    if error.wait_s is None:
        return True
    return error.wait_s if error.wait_s <= _PATIENCE_S else False


def _request_id() -> dict[str, str]:
    """Our request's id goes on to Suna, so that both logs tell one story."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    return {"X-Request-ID": str(request_id)} if request_id else {}


def _name_of(response: aiohttp.ClientResponse) -> str:
    """How the people who run Suna find the request in their logs."""
    named = response.headers.get("X-Request-ID") or response.request_info.headers.get(
        "X-Request-ID"
    )
    return f" (request {storable(named[:80])})" if named else ""
