"""One request to the server: retries where they are safe, problems as errors."""

import asyncio
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import httpx2

from renum.errors import ApiError, ConnectionFailed, UnexpectedAnswer
from renum.timing import Timing, backoff_s

# Errors that prove that the server never got the request.
_UNSENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)
# Proxies of the environment are not for this machine itself.
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Http:
    """The connections to one server."""

    def __init__(self, url: str, *, api_prefix: str, timing: Timing) -> None:
        self.url = normal_url(url, api_prefix=api_prefix)
        self._prefix = api_prefix.strip("/")
        self._timing = timing
        self.connections = httpx2.AsyncClient(
            base_url=self.url,
            headers={"User-Agent": f"renum-python/{version('renum')}"},
            timeout=httpx2.Timeout(timing.read_s, connect=timing.connect_s),
            # Shorter than the 5 s after which servers close an idle connection: a POST must
            # not meet a connection that is just being closed.
            limits=httpx2.Limits(keepalive_expiry=3.0),
            trust_env=httpx2.URL(self.url).host not in _LOOPBACK,
        )

    def path(self, path: str) -> str:
        """`teams` becomes `/api/v1/teams`; a path that starts with `/` stays."""
        return path if path.startswith("/") else f"/{self._prefix}/{path}"

    async def send(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        params: Mapping[str, Any] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """
        The answer's JSON object, empty when it has no body.

        Raises:
            ApiError: the server answered with a problem.
            ConnectionFailed: there was no answer; what may be repeated was tried several times.
            UnexpectedAnswer: the answer is not a JSON object.
        """
        return content(
            await self.ask(method, path, token=token, params=params, json=json, headers=headers)
        )

    async def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        params: Mapping[str, Any] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        accepted: frozenset[int] = frozenset(),
    ) -> httpx2.Response:
        """
        As `send`, but the whole answer; it is a success, or one of the `accepted` statuses.

        Reads and what carries an Idempotency-Key are tried again; anything else is sent once.
        """
        request = self.connections.build_request(
            method,
            self.path(path),
            params={k: v for k, v in (params or {}).items() if v is not None},
            json=json,
            headers={**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})},
        )
        repeatable = method == "GET" or "Idempotency-Key" in request.headers
        tries = self._timing.tries if repeatable else 1
        for attempt in range(1, tries + 1):
            try:
                return await self._once(request, accepted)
            except (ConnectionFailed, ApiError) as error:
                delay = self._delay_s(attempt, error)
                if attempt == tries or delay is None:
                    raise
            await asyncio.sleep(delay)
        raise AssertionError("unreachable")

    async def _once(self, request: httpx2.Request, accepted: frozenset[int]) -> httpx2.Response:
        try:
            response = await self.connections.send(request)
        except httpx2.TransportError as error:
            raise ConnectionFailed(
                f"cannot reach {self.url}: {reason(error)}", sent=not isinstance(error, _UNSENT)
            ) from error
        if not response.is_success and response.status_code not in accepted:
            raise problem_of(response)
        return response

    def _delay_s(self, attempt: int, error: ConnectionFailed | ApiError) -> float | None:
        """How long to wait before the next try; None: do not try again."""
        cap_s = self._timing.retry_cap_s
        if isinstance(error, ApiError):
            # In progress: an earlier try of ours is still being carried out.
            passing = error.status == 503 or error.code == "idempotency_key_in_progress"
            if not passing or (error.retry_after_s or 0) > cap_s:
                return None
            if error.retry_after_s is not None:
                return error.retry_after_s
        return backoff_s(attempt, base_s=self._timing.retry_base_s, cap_s=cap_s)

    async def aclose(self) -> None:
        """Close every connection."""
        await self.connections.aclose()


def normal_url(url: str, *, api_prefix: str = "/api/v1") -> str:
    """
    The server's root: `host:8000/api/v1/` becomes `http://host:8000`.

    Raises:
        ValueError: it cannot be a server's URL.
    """
    if "://" not in url:
        url = f"http://{url}"
    root = url.rstrip("/").removesuffix("/" + api_prefix.strip("/"))
    try:
        parsed = httpx2.URL(root)
    except httpx2.InvalidURL as error:
        raise ValueError(f"{url} is not a URL: {error}") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ValueError(f"{url} is not an http or https URL")
    return str(parsed).rstrip("/")


def reason(error: Exception) -> str:
    """What to tell a person: some errors have no text of their own."""
    if isinstance(error, httpx2.TimeoutException):
        return "no answer in time"
    return str(error) or type(error).__name__


def content(response: httpx2.Response) -> dict[str, Any]:
    """The JSON object of an answer, empty when it has no body. Raises UnexpectedAnswer."""
    body = _json_object(response)
    if body is None and response.content:
        raise UnexpectedAnswer(f"{response.url} did not answer with JSON: is it a Renum server?")
    return body or {}


def _json_object(response: httpx2.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def problem_of(response: httpx2.Response) -> ApiError:
    """The error of an answer, also of one that a proxy made and that is no problem document."""
    return ApiError.from_problem(
        response.status_code,
        _json_object(response) or {"title": response.reason_phrase},
        request_id=response.headers.get("X-Request-ID"),
        retry_after_s=_seconds(response.headers.get("Retry-After")),
    )


def _seconds(value: str | None) -> float | None:
    """Retry-After in seconds; its other form, a date, is not used by Renum."""
    return float(value) if value is not None and value.isdecimal() else None
