"""A Suna that answers what a test tells it to."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from app.common.breaker import Breaker
from app.infra.suna.credentials import ApiKey
from app.infra.suna.http import SunaHttp
from tests.supabase.server import Scripted, scripted_server


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted_server() as server:
        yield server


@pytest.fixture
async def http(server: Scripted) -> AsyncIterator[SunaHttp]:
    async with aiohttp.ClientSession() as session:
        yield SunaHttp(session, f"{server.url}/v1", ApiKey("pk_a:sk_b"), Breaker("suna"))
