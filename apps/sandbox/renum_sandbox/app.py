"""The sandbox as an ASGI application."""

import os
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from renum_sandbox import __version__, control, fault_script
from renum_sandbox.auth import keys, routes, users
from renum_sandbox.auth.errors import (
    AuthError,
    GatewayError,
    auth_error_answer,
    gateway_error_answer,
)
from renum_sandbox.bell import Bell
from renum_sandbox.calls import KEPT, RecordCalls
from renum_sandbox.context import Options, Sandbox
from renum_sandbox.faults import Faults
from renum_sandbox.openai import ChatModel
from renum_sandbox.state import State
from renum_sandbox.suna import routes as suna_routes
from renum_sandbox.suna import store
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
    slow_s: float = 0.3,
    model: ChatModel | None = None,
    jwt_secret: str | None = None,
    script: str = "",
    clock: Callable[[], float] = time.time,
) -> FastAPI:
    """
    A sandbox; its files are opened when the application starts and closed when it stops.

    `data_dir` keeps all state, None keeps it in memory. `base_url` becomes the issuer of
    tokens; without it, the address by which a client reached us. `speed` multiplies the length
    of runs: 0 is instant, 1 about 1.5 to 3 seconds. `access_token_s` is the life of an access
    token, `ping_s` the silence before a ping in era B's streams, `slow_s` the delay of the fault
    `slow`, all in seconds. With `model`, a real model answers instead of the built-in agents.
    With `jwt_secret` (32 bytes or more), tokens of HS256 that it has signed are accepted too.
    `script` plans faults (see `renum_sandbox.fault_script`). `clock` gives seconds since the
    epoch.

    Raises:
        NotInProduction: APP_ENV says so.
        ScriptError: a mistake in `script`.
        ValueError: `speed`, `access_token_s` or `slow_s` is negative.
    """
    if os.environ.get("APP_ENV", "").strip().lower() == "production":
        raise NotInProduction
    if min(speed, access_token_s, slow_s) < 0:
        raise ValueError("speed, access_token_s and slow_s cannot be negative")
    faults = Faults()
    fault_script.plan(fault_script.parse(script), faults)
    options = Options(
        base_url=base_url,
        speed=speed,
        access_token_s=access_token_s,
        ping_s=ping_s,
        slow_s=slow_s,
        jwt_secret=jwt_secret or None,
        model=model,
        clock=clock,
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        state = State(data_dir)
        try:
            app.state.sandbox = sandbox = _open(state, options, faults)
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
    app.state.calls = deque(maxlen=KEPT)
    app.add_middleware(RecordCalls, calls=app.state.calls)
    app.add_exception_handler(AuthError, auth_error_answer)
    app.add_exception_handler(GatewayError, gateway_error_answer)
    suna_routes.add_to(app)
    app.include_router(routes.router)
    app.include_router(control.router)
    return app


def _open(state: State, options: Options, faults: Faults) -> Sandbox:
    users.seed(state)
    store.fail_lost_model_runs(state, options.clock())
    bell = Bell()
    model_runs = ModelRuns(options.model, state, bell, options.clock) if options.model else None
    return Sandbox(
        options=options,
        state=state,
        signing_key=keys.load_or_make(state),
        faults=faults,
        bell=bell,
        model_runs=model_runs,
    )
