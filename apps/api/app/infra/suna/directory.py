"""The agents that teams can be made of: cached, and stale rather than gone (api.md §5)."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

import structlog

from app.common.text import storable
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
#: Lists kept at most; with one key for everybody there is one.
MAX_ACCOUNTS = 1000
_PAGE = 100
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)


class AgentList:
    """The agents of one Suna account, as they were last fetched."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.fetching = asyncio.Lock()
        self.agents: tuple[Agent, ...] = ()
        self._fetched_at = float("-inf")

    @property
    def age_s(self) -> float:
        return self._clock() - self._fetched_at

    def renew(self, agents: tuple[Agent, ...]) -> None:
        self.agents, self._fetched_at = agents, self._clock()


class AgentLists:
    """The lists of all accounts that were asked for lately. *clock* gives monotonic seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lists: OrderedDict[UUID | None, AgentList] = OrderedDict()

    def of(self, account: UUID | None) -> AgentList:
        """The list of an account, empty and outdated when it is a new one."""
        found = self._lists.setdefault(account, AgentList(self._clock))
        self._lists.move_to_end(account)
        if len(self._lists) > MAX_ACCOUNTS:
            self._lists.popitem(last=False)
        return found


class SunaAgentDirectory:
    """The `AgentDirectory` port, for one Suna account."""

    def __init__(self, http: SunaHttp, cached: AgentList) -> None:
        self._http = http
        self._cached = cached

    async def list(self) -> AgentListing:
        cached = self._cached
        if cached.age_s < FRESH_S:
            return AgentListing(cached.agents, stale=False)
        async with cached.fetching:  # single flight: who waited finds it fetched
            if cached.age_s < FRESH_S:
                return AgentListing(cached.agents, stale=False)
            try:
                cached.renew(await self._fetch())
            except SunaUnavailable as error:
                if cached.age_s >= STALE_S:
                    raise
                _log.warning("serving a stale list of agents", reason=str(error))
                return AgentListing(cached.agents, stale=True)
            return AgentListing(cached.agents, stale=False)

    async def get(self, agent_id: UUID) -> Agent:
        listing = await self.list()
        for agent in listing.agents:
            if agent.id == agent_id:
                return agent
        # Made a moment ago, or public: not on the list, but there.
        try:
            return _agent(await self._http.get(f"agents/{agent_id}"))
        except (RunLost, SunaRefused):
            # Refused although the list was not: it is another account's private agent.
            raise AgentNotFound(agent_id) from None
        except _UNREADABLE as error:
            raise SunaUnavailable("Suna's answer about an agent is not readable.") from error

    async def _fetch(self) -> tuple[Agent, ...]:
        agents: list[Agent] = []
        page, pages = 1, 1
        while page <= pages:
            try:
                body = await self._http.get("agents", page=page, limit=_PAGE)
                agents += _readable(body["agents"])
                pages = int(body["pagination"]["pages"])
            except RunLost as error:
                raise SunaRefused(
                    "Suna answered 404 for its list of agents: set SUNA_API_URL to the base that "
                    "ends in /api or /v1."
                ) from error
            except _UNREADABLE as error:
                raise SunaUnavailable("Suna's list of agents is not readable.") from error
            page += 1
        return tuple(sorted(agents, key=lambda a: (a.name.casefold(), a.id)))


def _readable(bodies: Iterable[Mapping[str, Any]]) -> Iterator[Agent]:
    """One agent that cannot be read must not hide the others."""
    for body in bodies:
        try:
            yield _agent(body)
        except _UNREADABLE as error:
            _log.warning("an agent of suna is not readable", error=repr(error))


def _agent(body: Mapping[str, Any]) -> Agent:
    """Suna's agent in the specification's shape; prompts and tool settings stay behind."""
    listed = body.get("tags")
    tags = [t for t in listed if isinstance(t, str)] if isinstance(listed, list) else []
    metadata = body.get("metadata") or {}
    category = metadata.get("category")
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
        name=storable(str(body.get("name") or "Unnamed agent")),
        description=storable(str(body.get("description") or "")),
        category=category if isinstance(category, str) else (tags[0] if tags else None),
        capabilities=tuple(enabled + servers),
        available=True,
    )
