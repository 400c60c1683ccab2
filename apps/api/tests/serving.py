"""The real application on a real port, in a thread of the test process."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from pydantic import SecretStr
from starlette.types import ASGIApp

from app.core.settings import Settings
from app.main import create_app
from app.server import Server, listen, url_of
from renum_sandbox.testing import RunningSandbox
from tests.asyncapi import Contract


def settings_for(sandbox: RunningSandbox, database_url: str, **changes: object) -> Settings:
    """Everything at the sandbox; nothing of this machine's environment."""
    values: dict[str, object] = {
        "app_env": "development",
        "database_url": SecretStr(database_url),
        "suna_api_url": f"{sandbox.url}/v1",
        "suna_api_key": SecretStr(sandbox.suna_api_key),
        "suna_max_parallel_runs": 0,
        # Tests are faster than people.
        "rate_limit_user": "off",
        "rate_limit_login_address": "off",
        "rate_limit_login_email": "off",
        "supabase_url": sandbox.url,
        "supabase_anon_key": SecretStr(sandbox.publishable_key),
    }
    return Settings.model_construct(**(values | changes))


@contextmanager
def serving(
    settings: Settings,
    *,
    worker: bool = True,
    around: Callable[[ASGIApp], ASGIApp] = lambda app: app,
) -> Iterator[str]:
    """The application's URL, until the block ends; what it tells keeps to its contract."""
    app = create_app(settings, worker=worker)
    server = Server(app, on_ready=lambda: None, grace_s=2)
    contract = Contract(app)
    server.config.app = around(contract)
    with running(server) as url:
        yield url
    assert contract.broken == []


@contextmanager
def running(server: uvicorn.Server) -> Iterator[str]:
    """The URL of a server in a thread, until the block ends."""
    bound = listen("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
    thread.start()
    give_up_at = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive(), "the application did not start"
        assert time.monotonic() < give_up_at
        time.sleep(0.005)
    try:
        yield url_of(bound)
    finally:
        server.should_exit = True
        thread.join(20)
        bound.close()
