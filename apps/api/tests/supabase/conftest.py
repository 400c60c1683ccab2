"""An HTTP session like the real one, and servers for it to talk to."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from app.infra.supabase.connect import TIMEOUT
from tests.supabase.server import Scripted, scripted_server


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        yield session


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted_server() as server:
        yield server
