"""Joins the settings to a Suna: one HTTP session for all that is asked of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from app import __version__
from app.core.settings import Settings
from app.infra.suna.dialects import DIALECTS
from app.infra.suna.directory import SunaAgentDirectory
from app.infra.suna.http import TIMEOUT, SunaHttp
from app.infra.suna.runtime import SunaAgentRuntime


@dataclass(frozen=True, slots=True)
class Suna:
    runtime: SunaAgentRuntime
    agents: SunaAgentDirectory


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Suna]:
    """Makes no request yet."""
    async with aiohttp.ClientSession(
        # Every run that is followed holds one connection.
        connector=aiohttp.TCPConnector(limit=settings.worker_concurrency + 100),
        timeout=TIMEOUT,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={
            "User-Agent": f"renum-api/{__version__}",
            "X-API-Key": settings.suna_api_key.get_secret_value(),
        },
    ) as session:
        http = SunaHttp(session, settings.suna_api_url)
        dialect = DIALECTS.get(settings.suna_api_dialect)
        yield Suna(
            runtime=SunaAgentRuntime(session, http, dialect=dialect),
            agents=SunaAgentDirectory(http),
        )
