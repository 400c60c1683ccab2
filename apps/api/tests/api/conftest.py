"""The API with everything behind it: PostgreSQL, the sandbox, and no worker."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import httpx2
import pytest
from fastapi import FastAPI

from app.core.settings import Settings
from app.main import create_app
from renum_sandbox import constants
from renum_sandbox.testing import RunningSandbox, running_sandbox

SignIn = Callable[..., Awaitable[dict[str, str]]]


@pytest.fixture(scope="session")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(speed=0.0) as running:
        yield running


@pytest.fixture
def settings(sandbox: RunningSandbox, shared_database_url: str) -> Settings:
    return Settings(
        _env_file=None,
        app_env="development",
        cors_origins=("https://app.example",),
        database_url=shared_database_url,
        database_pool_size=4,
        suna_api_url=f"{sandbox.url}/v1",
        suna_api_key=sandbox.suna_api_key,
        supabase_url=sandbox.url,
        supabase_anon_key=sandbox.publishable_key,
        supabase_service_key=sandbox.secret_key,
    )


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(settings, worker=False)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app) as client:
        yield client


def client_of(app: FastAPI) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=app, client=("203.0.113.9", 4711))
    return httpx2.AsyncClient(transport=transport, base_url="http://renum.test")


@pytest.fixture
def sign_in(api: httpx2.AsyncClient) -> SignIn:
    """Logs a demo user in; returns the header that says so."""

    async def header(email: str = constants.ANA_EMAIL) -> dict[str, str]:
        body = {"email": email, "password": constants.DEMO_PASSWORD}
        answer = await api.post("/api/v1/auth/login", json=body)
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    return header
