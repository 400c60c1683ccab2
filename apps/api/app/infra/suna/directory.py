"""The agents that teams can be made of: cached, and stale rather than gone (api.md §5)."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import structlog

from app.domain.agents import (
    Agent,
    AgentListing,
    AgentNotFound,
    RunLost,
    SunaRefused,
    SunaUnavailable,
)
from app.infra.suna.http import SunaHttp

_log = structlog.get_logger(__name__)

FRESH_S = 30.0
STALE_S = 600.0
_PAGE = 100


class SunaAgentDirectory:
    """The `AgentDirectory` port, for one Suna account."""

    def __init__(self, http: SunaHttp, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._http = http
        self._clock = clock
        self._lock = asyncio.Lock()
        self._agents: tuple[Agent, ...] = ()
        self._fetched_at = float("-inf")

    async def list(self) -> AgentListing:
        if self._age() < FRESH_S:
            return AgentListing(self._agents, stale=False)
        async with self._lock:  # single flight: who waited finds it fetched
            if self._age() < FRESH_S:
                return AgentListing(self._agents, stale=False)
            try:
                self._agents = await self._fetch()
            except SunaUnavailable as error:
                if self._age() >= STALE_S:
                    raise
                _log.warning("serving a stale list of agents", reason=str(error))
                return AgentListing(self._agents, stale=True)
            self._fetched_at = self._clock()
            return AgentListing(self._agents, stale=False)

    async def get(self, agent_id: UUID) -> Agent:
        listing = await self.list()
        for agent in listing.agents:
            if agent.id == agent_id:
                return agent
        # Made a moment ago, or public: not on the list, but there.
        try:
            return _agent(await self._http.get(f"agents/{agent_id}"))
        except (RunLost, SunaRefused, KeyError, ValueError):
            # Refused although the list was not: it is another account's private agent.
            raise AgentNotFound(agent_id) from None

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    async def _fetch(self) -> tuple[Agent, ...]:
        agents: list[Agent] = []
        page, pages = 1, 1
        while page <= pages:
            body = await self._http.get("agents", page=page, limit=_PAGE)
            try:
                agents += [_agent(a) for a in body["agents"]]
                pages = int(body["pagination"]["pages"])
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise SunaUnavailable("Suna's list of agents is not readable.") from error
            page += 1
        return tuple(sorted(agents, key=lambda a: (a.name.casefold(), a.id)))


def _agent(body: Mapping[str, Any]) -> Agent:
    """Suna's agent in the specification's shape; prompts and tool settings stay behind."""
    tags = [t for t in body.get("tags") or [] if isinstance(t, str)]
    metadata = body.get("metadata") or {}
    tools = body.get("agentpress_tools") or {}
    enabled = [
        name
        for name, tool in tools.items()
        if (tool.get("enabled") if isinstance(tool, Mapping) else tool) is True
    ]
    servers = [
        m["name"]
        for m in [*(body.get("configured_mcps") or []), *(body.get("custom_mcps") or [])]
        if isinstance(m, Mapping) and isinstance(m.get("name"), str)
    ]
    return Agent(
        id=UUID(body["agent_id"]),
        name=str(body["name"]),
        description=str(body.get("description") or ""),
        category=metadata.get("category") or (tags[0] if tags else None),
        capabilities=tuple(enabled + servers),
        available=True,
    )
