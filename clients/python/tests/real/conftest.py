"""The client against the real application: PostgreSQL, worker, and the sandbox over HTTP."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

import pytest
from clients.python.tests.conftest import QUICK, Renum
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from renum import AsyncClient
from renum_sandbox.constants import ANA_EMAIL, DEMO_PASSWORD
from renum_sandbox.testing import RunningSandbox, running_sandbox
from tests.conftest import new_database, postgres  # noqa: F401  fixtures
from tests.serving import serving, settings_for


@dataclass
class Wire:
    """Stands before the application: remembers what was asked, and breaks what is told."""

    asked: list[tuple[str, str]] = field(default_factory=list)
    #: Requests (`POST /execute`) that are carried out, and whose answer is lost.
    lost: list[tuple[str, str]] = field(default_factory=list)

    def around(self, app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            asked = (scope["method"], scope["path"])
            self.asked.append(asked)
            hidden = [one for one in self.lost if one[0] == asked[0] and asked[1].endswith(one[1])]

            async def lose(message: Message) -> None:
                del message

            if not hidden:
                await app(scope, receive, send)
                return
            self.lost.remove(hidden[0])
            await app(scope, receive, lose)
            # As a proxy that has lost the server.
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        return call


@dataclass
class Application:
    url: str
    wire: Wire
    sandbox: RunningSandbox


@pytest.fixture(scope="session")
def application(new_database: Callable[[], str]) -> Iterator[Application]:  # noqa: F811
    wire = Wire()
    with running_sandbox(speed=0.0) as sandbox:
        settings = settings_for(sandbox, new_database(), webhooks_allow_private=True)
        with serving(settings, around=wire.around) as url:
            yield Application(url, wire, sandbox)


@pytest.fixture
def url(application: Application) -> str:
    return application.url


@pytest.fixture
async def real(url: str) -> AsyncIterator[AsyncClient]:
    """Signed in."""
    async with AsyncClient(url, timing=QUICK) as client:
        await client.login(ANA_EMAIL, DEMO_PASSWORD)
        yield client


@pytest.fixture
def cli(renum: Renum) -> Renum:
    """The command line, signed in."""
    arguments = ("login", "--email", ANA_EMAIL, "--password-stdin")
    done = renum(*arguments, stdin=DEMO_PASSWORD)
    assert done.exit_code == 0, done.stderr
    return renum
