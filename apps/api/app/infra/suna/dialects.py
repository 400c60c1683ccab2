"""How the eras of Suna differ in starting a run and finding it again (suna.md §1.4)."""

from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
import structlog

from app.domain.agents import RunLost, RunRef, SunaRefused
from app.infra.suna.answers import text_of
from app.infra.suna.http import SunaHttp, away

_log = structlog.get_logger(__name__)

#: Suna's clock and ours need not agree.
_CLOCK_SKEW = timedelta(seconds=5)


class Dialect(Protocol):
    """What a start looks like."""

    name: str
    path: str

    def form(self, agent_id: UUID, prompt: str, key: UUID) -> dict[str, str]: ...

    async def find(
        self, http: SunaHttp, prompt: str, *, key: UUID, since: datetime
    ) -> RunRef | None: ...


class Start:
    """Unified start, October 2025 to spring 2026. We choose the thread's id: it is the key."""

    name = "start"
    path = "agent/start"

    def form(self, agent_id: UUID, prompt: str, key: UUID) -> dict[str, str]:
        return {
            "agent_id": str(agent_id),
            "prompt": prompt,
            "thread_id": str(key),
            "project_id": str(key),
            "optimistic": "true",
        }

    async def find(
        self, http: SunaHttp, prompt: str, *, key: UUID, since: datetime
    ) -> RunRef | None:
        return await _run_of_thread(http, str(key))


class Initiate:
    """July to October 2025. Suna chooses the ids, so a lost run is found by what it was asked."""

    name = "initiate"
    path = "agent/initiate"

    def form(self, agent_id: UUID, prompt: str, key: UUID) -> dict[str, str]:
        return {"agent_id": str(agent_id), "prompt": prompt}

    async def find(
        self, http: SunaHttp, prompt: str, *, key: UUID, since: datetime
    ) -> RunRef | None:
        """Two starts of one prompt at one moment cannot be told apart; the older is taken."""
        threads = (await http.get("threads", page=1, limit=100)).get("threads", [])
        young = [t for t in threads if _time(t.get("created_at")) >= since - _CLOCK_SKEW]
        for thread in reversed(young):
            # Suna names a project after the prompt, cut short when it is longer.
            name = (thread.get("project") or {}).get("name")
            if name not in (prompt, f"{prompt[:30]}..."):
                continue
            thread_id = thread["thread_id"]
            asked = await http.get(f"threads/{thread_id}/messages", order="asc")
            first = next((m for m in asked.get("messages", []) if m.get("type") == "user"), None)
            if (
                first
                and text_of(first) == prompt
                and (run := await _run_of_thread(http, thread_id))
            ):
                return run
        return None


async def _run_of_thread(http: SunaHttp, thread_id: str) -> RunRef | None:
    try:
        runs: list[dict[str, Any]] = (await http.get(f"thread/{thread_id}/agent-runs")).get(
            "agent_runs", []
        )
    except RunLost:  # no such thread
        return None
    return RunRef(thread_id, runs[-1]["id"]) if runs else None


def _time(value: object) -> datetime:
    return datetime.fromisoformat(str(value))


DIALECTS: dict[str, Dialect] = {d.name: d for d in (Start(), Initiate())}


async def detect(http: aiohttp.ClientSession, base_url: str) -> Dialect:
    """
    The dialect that the server documents itself to speak, below the path of *base_url*.

    Raises SunaUnavailable when it does not answer, SunaRefused when none fits.
    """
    url = urlsplit(base_url)
    try:
        async with http.get(f"{url.scheme}://{url.netloc}/openapi.json") as response:
            response.raise_for_status()
            paths = (await response.json(content_type=None)).get("paths", {})
    except (aiohttp.ClientError, TimeoutError, ValueError, AttributeError) as error:
        raise away(error) from error
    for dialect in DIALECTS.values():
        if f"{url.path}/{dialect.path}" in paths:
            _log.info("found suna's dialect", dialect=dialect.name)
            return dialect
    raise SunaRefused(
        f"Suna at {url.path} offers no way to start agents that Renum knows; set SUNA_API_URL to "
        "the base that ends in /api or /v1, and SUNA_API_DIALECT to initiate or start."
    )
