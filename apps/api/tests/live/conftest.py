"""One server with a worker for the tests of the live stream."""

from collections.abc import Callable, Iterator

import httpx2
import pytest

from renum_sandbox.testing import RunningSandbox, running_sandbox
from tests.live.client import Live, sign_in
from tests.serving import serving, settings_for


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(speed=0.0) as running:
        yield running


@pytest.fixture(scope="module")
def url(sandbox: RunningSandbox, new_database: Callable[[], str]) -> Iterator[str]:
    settings = settings_for(
        sandbox,
        new_database(),
        cors_origins=("https://front.example",),
        ws_max_sockets_per_user=3,
    )
    with serving(settings) as url:
        yield url


@pytest.fixture(scope="module")
def tokens(url: str) -> dict[str, str]:
    return {name: sign_in(url, name) for name in ("ana", "bruno")}


@pytest.fixture
def live(url: str, tokens: dict[str, str]) -> Iterator[Live]:
    headers = {"Authorization": f"Bearer {tokens['ana']}"}
    with httpx2.Client(base_url=f"{url}/api/v1", headers=headers) as client:
        yield Live(url, tokens["ana"], client)
