"""The ways in which servers offer to run an agent, and how to find out which one this is."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
import structlog
from pydantic_core import from_json

from app.domain.agents import Answer, RunRef, RunState, SunaRefused
from app.infra.suna.description import post_operations
from app.infra.suna.executions import IDEMPOTENCY_KEY, Execute
from app.infra.suna.http import SunaHttp, away
from app.infra.suna.threads import Initiate, Start

_log = structlog.get_logger(__name__)


class Dialect(Protocol):
    """
    One way to run an agent. Translates, and decides nothing: when to ask again, and what silence
    means, is the runtime's.
    """

    @property
    def name(self) -> str: ...

    @property
    def idempotent(self) -> bool:
        """Whether a start that is sent again with the same key is the same run."""

    async def start(self, http: SunaHttp, agent_id: UUID, prompt: str, key: UUID) -> RunRef:
        """Raises as `AgentRuntime.start` does."""

    async def find(
        self, http: SunaHttp, agent_id: UUID, prompt: str, *, key: UUID, since: datetime
    ) -> list[RunRef]:
        """Raises as `AgentRuntime.find` does."""

    async def state(self, http: SunaHttp, run: RunRef) -> RunState:
        """Raises RunLost, SunaUnavailable, SunaRefused, as the others do too."""

    def text(self, http: SunaHttp, run: RunRef) -> AsyncGenerator[str]:
        """New text as it comes, as long as it comes; says nothing about how the run ends."""

    async def answer(self, http: SunaHttp, run: RunRef) -> Answer: ...

    async def stop(self, http: SunaHttp, run: RunRef) -> None:
        """Ask for the stop of a run that still runs."""


@dataclass(slots=True)
class DialectFinder:
    """Finds out once, for everybody, how this Suna is spoken to."""

    session: aiohttp.ClientSession
    base_url: str
    #: `auto`, or the name of a dialect.
    setting: str
    _found: Dialect | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def find(self) -> Dialect:
        """
        What the setting says, else what the server says of itself in its OpenAPI document.

        The document also tells what this server can do beyond the least of its dialect.

        Raises SunaUnavailable when it does not answer, SunaRefused when nothing fits.
        """
        if self._found is None:
            async with self._lock:
                if self._found is None:
                    base_path = urlsplit(self.base_url).path
                    self._found = _choose(self.setting, base_path, await self._described())
                    _log.info("suna's dialect", dialect=self._found.name)
        return self._found

    async def _described(self) -> Mapping[str, frozenset[str]] | None:
        """The server's own description; None when it shows none."""
        base = urlsplit(self.base_url)
        root = base.path.rpartition("/")[0]  # the base without its `/api` or `/v1`
        url = f"{base.scheme}://{base.netloc}{root}/openapi.json"
        try:
            async with self.session.get(url, allow_redirects=False) as response:
                if response.status >= 500:
                    response.raise_for_status()
                if response.status != 200:
                    return None
                return post_operations(from_json(await response.read()))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise away(error) from error
        except ValueError:  # a page for people
            return None


def _choose(
    setting: str, base_path: str, described: Mapping[str, frozenset[str]] | None
) -> Dialect:
    known = described or {}
    start = known.get(f"{base_path}/agent/start")
    execute = known.get(f"{base_path}/agents/{{}}/execute")
    if setting == "start" or (setting == "auto" and start is not None):
        # Ids of our own making came with /v1; what the server says of them counts more.
        return Start(optimistic="optimistic" in start if start else base_path.endswith("/v1"))
    if setting == "initiate" or (setting == "auto" and f"{base_path}/agent/initiate" in known):
        return Initiate()
    if setting == "execute" or (setting == "auto" and execute is not None):
        return Execute(idempotent=IDEMPOTENCY_KEY in (execute or ()))
    if described is None:
        raise SunaRefused(
            "Suna shows no openapi.json from which to learn how it starts agents: set "
            "SUNA_API_DIALECT to initiate, start or execute."
        )
    raise SunaRefused(
        f"Suna at {base_path or '/'} offers no way to start agents that Renum knows; set "
        "SUNA_API_URL to the base that ends in /api or /v1, and SUNA_API_DIALECT to initiate, "
        "start or execute."
    )
