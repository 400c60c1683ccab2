"""The sandbox as an ASGI application."""

import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from renum_sandbox import __version__, control
from renum_sandbox.auth import keys, routes, users
from renum_sandbox.auth.errors import (
    AuthError,
    GatewayError,
    auth_error_answer,
    gateway_error_answer,
)
from renum_sandbox.bell import Bell
from renum_sandbox.context import Options, Sandbox
from renum_sandbox.faults import Faults
from renum_sandbox.openai import ChatModel
from renum_sandbox.state import State
from renum_sandbox.suna import routes as suna_routes
from renum_sandbox.suna import store
from renum_sandbox.suna.dialect import Dialect
from renum_sandbox.suna.model_runs import ModelRuns


class NotInProduction(Exception):
    """The sandbox has public passwords and keys."""

    def __init__(self) -> None:
        super().__init__("the sandbox refuses to start when APP_ENV=production")


def create_sandbox(
    *,
    data_dir: Path | None = None,
    base_url: str | None = None,
    speed: float = 1.0,
    access_token_s: int = 3600,
    ping_s: float = 5.0,
    model: ChatModel | None = None,
    clock: Callable[[], float] = time.time,
) -> FastAPI:
    """
    A sandbox; its files are opened when the application starts and closed when it stops.

    `data_dir` keeps all state, None keeps it in memory. `base_url` becomes the issuer of
    tokens; without it, the address by which a client reached us. `speed` multiplies the length
    of runs: 0 is instant, 1 about 1.5 to 3 seconds. `access_token_s` is the life of an access
    token, `ping_s` the silence before a ping in era B's streams, both in seconds. With `model`,
    a real model answers instead of the built-in agents. `clock` gives seconds since the epoch.

    Raises:
        NotInProduction: APP_ENV says so.
        ValueError: `speed` or `access_token_s` is negative.
    """
    if os.environ.get("APP_ENV", "").strip().lower() == "production":
        raise NotInProduction
    if speed < 0 or access_token_s < 0:
        raise ValueError("speed and access_token_s cannot be negative")
    options = Options(
        base_url=base_url,
        speed=speed,
        access_token_s=access_token_s,
        ping_s=ping_s,
        model=model,
        clock=clock,
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        state = State(data_dir)
        try:
            app.state.sandbox = sandbox = _open(state, options)
            yield
            if sandbox.model_runs is not None:
                await sandbox.model_runs.close()
        finally:
            state.close()

    app = FastAPI(
        title="Renum sandbox: Suna and Supabase Auth on loopback",
        version=__version__,
        lifespan=lifespan,
    )
    app.add_exception_handler(AuthError, auth_error_answer)
    app.add_exception_handler(GatewayError, gateway_error_answer)
    for dialect in Dialect:
        app.include_router(suna_routes.router(dialect))
    app.include_router(routes.router)
    app.include_router(control.router)
    return app


def _open(state: State, options: Options) -> Sandbox:
    users.seed(state)
    store.fail_lost_model_runs(state, options.clock())
    bell = Bell()
    model_runs = ModelRuns(options.model, state, bell, options.clock) if options.model else None
    return Sandbox(
        options=options,
        state=state,
        signing_key=keys.load_or_make(state),
        faults=Faults(),
        bell=bell,
        model_runs=model_runs,
    )
