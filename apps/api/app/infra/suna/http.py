"""One way to ask Suna: headers, limits of time, and its refusals in our words."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import stamina
import structlog

from app.domain.agents import RunLost, SunaRefused, SunaUnavailable

_log = structlog.get_logger(__name__)

TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
#: A stream has no end of its own; silence ends it.
STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)

#: Seconds that we wait at most because Suna asks us to.
MAX_WAIT_S = 3600.0

#: What means that Suna, or something before it, is away: not a word about our request.
AWAY = (408, 429, 500, 502, 503, 504)


class SunaHttp:
    """Requests below one base URL, which ends in `/api` or `/v1`."""

    def __init__(self, http: aiohttp.ClientSession, base_url: str) -> None:
        self._http = http
        self.base_url = base_url

    async def get(self, path: str, **params: str | int) -> Any:  # noqa: ANN401  JSON
        """Parsed JSON; tried three times. Raises SunaUnavailable, SunaRefused, RunLost (404)."""
        async for attempt in stamina.retry_context(
            on=SunaUnavailable, attempts=3, wait_initial=0.1, wait_max=2.0, timeout=None
        ):
            with attempt:
                return await self.get_once(path, **params)
        raise AssertionError  # pragma: no cover  stamina raises the last error

    async def get_once(self, path: str, **params: str | int) -> Any:  # noqa: ANN401  JSON
        """As `get`, without another try: for callers that come again by themselves."""
        return await self._ask("GET", path, params=params)

    async def post(self, path: str) -> None:
        """For what is safe to repeat. Raises as `get` does."""
        await self._ask("POST", path)

    async def _ask(
        self, method: str, path: str, params: Mapping[str, str | int] | None = None
    ) -> Any:  # noqa: ANN401  JSON
        try:
            async with self._http.request(
                method, f"{self.base_url}/{path}", params=params, headers=request_headers()
            ) as response:
                if response.status >= 400:
                    raise refusal(response, path)
                return await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise away(error) from error

    @asynccontextmanager
    async def stream(self, path: str) -> AsyncIterator[aiohttp.StreamReader]:
        """The body of an event stream. Raises as `get` does, and from reading SunaUnavailable."""
        try:
            async with self._http.get(
                f"{self.base_url}/{path}",
                headers={**request_headers(), "Accept": "text/event-stream"},
                timeout=STREAM_TIMEOUT,
            ) as response:
                if response.status >= 400:
                    raise refusal(response, path)
                yield response.content
        except (aiohttp.ClientError, TimeoutError) as error:
            raise away(error) from error

    @asynccontextmanager
    async def start(
        self, path: str, form: Mapping[str, str], request_id: str
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a start once, and hand out whatever comes, errors of the connection included."""
        async with self._http.post(
            f"{self.base_url}/{path}", data=form, headers={"X-Request-ID": request_id}
        ) as response:
            yield response


def request_headers() -> dict[str, str]:
    """Our request's id goes on to Suna, so that both logs tell one story."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    return {"X-Request-ID": str(request_id)} if request_id else {}


def away(error: Exception) -> SunaUnavailable:
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


def refusal(response: aiohttp.ClientResponse, path: str) -> Exception:
    """What an error status of Suna means to us; its body stays there (suna.md §1.2)."""
    status = response.status
    _log.warning("suna refused", status=status, path=path.partition("?")[0])
    if status in AWAY:
        return SunaUnavailable(f"Suna answered {status}.", wait_s=asked_wait_s(response))
    if status == 404:
        return RunLost("Suna does not know this run any more.")
    if status == 401:
        return SunaRefused("Suna refused Renum's API key (401): check SUNA_API_KEY.")
    if status == 402:
        return SunaRefused("The Suna account has no credit left, or not for this model (402).")
    if status == 403:
        return SunaRefused(
            "Suna refused access (403): custom agents may be switched off there, or the API key "
            "belongs to another account."
        )
    return SunaRefused(f"Suna refused the request ({status}).")
