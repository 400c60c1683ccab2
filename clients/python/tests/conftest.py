"""A real server on the loopback for each test process, a world of its own for each test."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from renum import AsyncClient, Timing
from renum.cli import app

from .server import Proxy, Server, running_server
from .world import EMAIL, PASSWORD, World

QUICK = Timing(
    retry_base_s=0.001,
    retry_cap_s=0.05,
    reconnect_base_s=0.001,
    reconnect_cap_s=0.01,
    greeting_s=1.0,
    poll_s=5.0,
)


@pytest.fixture(autouse=True)
def quiet_servers() -> Iterator[None]:
    """Servers of this and of other tests, in threads, share stdout with the command line."""
    before = structlog.get_config()
    with Path(os.devnull).open("w") as nowhere:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(nowhere))
        yield
        structlog.configure(**before)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def world(server: Server) -> Iterator[World]:
    with server.world() as world:
        yield world


@pytest.fixture
def url(server: Server, world: World) -> str:
    return server.url(world)


@pytest.fixture
async def client(url: str) -> AsyncIterator[AsyncClient]:
    """Not signed in."""
    async with AsyncClient(url, timing=QUICK) as client:
        yield client


@pytest.fixture
async def ana(client: AsyncClient) -> AsyncClient:
    """Signed in."""
    await client.login(EMAIL, PASSWORD)
    return client


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[Proxy]:
    proxy = Proxy(server.port)
    await proxy.open()
    yield proxy
    await proxy.close()


class Renum:
    """The command line in this process, in front of no terminal."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment

    def __call__(
        self, *arguments: str, stdin: str = "", env: dict[str, str] | None = None
    ) -> Result:
        environment = {**self._environment, **(env or {})}
        result = CliRunner().invoke(app, list(arguments), input=stdin, env=environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config"


@pytest.fixture
def environment(url: str, config: Path) -> dict[str, str]:
    """For the command line: this test's server and configuration, and plain output."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith("RENUM")}
    return {**keep, "RENUM_URL": url, "RENUM_CONFIG_DIR": str(config), "NO_COLOR": "1"}


@pytest.fixture
def renum(environment: dict[str, str]) -> Renum:
    return Renum(environment)


@pytest.fixture
def signed_in(renum: Renum) -> Renum:
    done = renum("login", "--email", EMAIL, "--password-stdin", stdin=PASSWORD)
    assert done.exit_code == 0, done.stderr
    return renum
