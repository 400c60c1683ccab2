"""Sends a start, once, and says what became of it (suna.md §1.4)."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import aiohttp
import structlog
from pydantic_core import from_json

from app.domain.agents import AgentNotFound, RunRef, StartUnknown, SunaBusy
from app.infra.suna.http import SunaHttp, asked_wait_s, away

_log = structlog.get_logger(__name__)

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,199}")


async def send_start(
    http: SunaHttp,
    path: str,
    agent_id: UUID,
    key: UUID,
    *,
    read: Callable[[Mapping[str, Any]], RunRef],
    headers: Mapping[str, str] | None = None,
    **body: Any,  # noqa: ANN401  `data` or `json` of aiohttp
) -> RunRef:
    """
    The run that was started; *read* takes it from the answer, and raises KeyError or TypeError
    when it is not in there.

    Raises as `AgentRuntime.start` does: whatever leaves open whether something was started is
    StartUnknown.
    """
    ours = {"X-Request-ID": f"renum-{key}", **(headers or {})}
    try:
        async with http.request("POST", path, headers=ours, **body) as response:
            if response.status >= 300:
                raise await _refused(http, response, agent_id)
            return read(from_json(await response.read()))
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise away(error) from error  # no connection, so nothing was sent
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
        _log.warning("a start's answer was lost", error=type(error).__name__, key=str(key))
        raise StartUnknown("Suna's answer to the start was lost.") from error


def id_in(value: object) -> str:
    """An id that may stand in a path. Raises TypeError when it is none."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise TypeError("not an id")
    return value


async def _refused(http: SunaHttp, response: aiohttp.ClientResponse, agent_id: UUID) -> Exception:
    status = response.status
    if status == 429 or (status == 402 and await _is_limit(response)):
        return SunaBusy("Suna runs as many agents as it may.", wait_s=asked_wait_s(response))
    if status == 404:
        return AgentNotFound(agent_id)
    if status >= 500 or status in (408, 409, 425):
        # Suna answers 500 also when the run was made and something after it failed; a gateway
        # answers 409 or 425 while the first start with this key is under way.
        return StartUnknown(
            f"Suna answered the start with {status}.", wait_s=asked_wait_s(response)
        )
    return http.refusal(response, path="start")


async def _is_limit(response: aiohttp.ClientResponse) -> bool:
    try:
        body = from_json(await response.read())
    except ValueError:
        return False
    detail = body.get("detail") if isinstance(body, dict) else None
    return isinstance(detail, dict) and detail.get("error_code") == "AGENT_RUN_LIMIT_EXCEEDED"
