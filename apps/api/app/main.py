"""The application: routers, middleware, error answers, and what lives as long as it does."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from app import __version__
from app.api import health, metrics, reference
from app.api.errors import add_error_handlers
from app.api.idempotency import replay
from app.api.middleware import middleware
from app.api.openapi import DocumentedApi
from app.api.v1 import agents, api_keys, auth, events, executions, notifications, teams, webhooks
from app.bootstrap import bootstrap
from app.common.tasks import background
from app.core.settings import Settings
from app.core.telemetry import Telemetry
from app.domain.idempotency import Replayed
from app.usecases.services import Services
from app.worker import run_worker

DESCRIPTION = """\
Teams of [Suna](https://github.com/kortix-ai/suna) agents, run durably and watched live.

1. `POST {prefix}/auth/login` gives an `access_token`: press **Authorize** and paste it.
2. `GET {prefix}/agents` lists the agents; `POST {prefix}/teams` makes a team of them.
3. `POST {prefix}/teams/{{team_id}}/execute` runs it; `GET {prefix}/executions/{{execution_id}}`
   shows how far it is, and the WebSocket `{prefix}/ws` tells of every change as it happens.

Every error is `application/problem+json` (RFC 9457); branch on its `code`.
"""
TAGS = [
    {"name": "Authentication", "description": "Sign in, stay signed in, sign out."},
    {"name": "API keys", "description": "For machines that act in a user's name."},
    {"name": "Agents", "description": "Suna's agents, which teams are made of."},
    {"name": "Teams", "description": "Agents that work together, and how."},
    {"name": "Executions", "description": "Runs of teams: progress, results, logs."},
    {"name": "Events", "description": "The log of what happens, live or page by page."},
    {"name": "Notifications", "description": "What ended while nobody watched."},
    {"name": "Webhooks", "description": "Endpoints of yours, told when executions end."},
    {"name": "Health", "description": "Whether Renum and what it stands on are well."},
]

OpenServices = Callable[[Settings, Telemetry], AbstractAsyncContextManager[Services]]


def create_app(
    settings: Settings,
    *,
    api: bool = True,
    worker: bool = True,
    open_services: OpenServices = bootstrap,
) -> FastAPI:
    """
    The API; with *worker*, executions run in this process too. Without *api* only health and
    metrics are answered: for processes that are workers.

    Connections are opened by its lifespan, so making it needs neither database nor network.
    """

    telemetry = Telemetry.of(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            # Last, and beside the loop: it waits for the collector.
            stack.push_async_callback(asyncio.to_thread, telemetry.tracing.close)
            services = await stack.enter_async_context(open_services(settings, telemetry))
            app.state.services = services
            if worker:
                await stack.enter_async_context(
                    background(run_worker(settings, services, telemetry.tracing), name="worker")
                )
            yield

    app = DocumentedApi(
        title="Renum API",
        version=__version__,
        description=DESCRIPTION.format(prefix=settings.api_prefix),
        openapi_tags=TAGS,
        servers=[{"url": "/"}],
        lifespan=lifespan,
        telemetry=telemetry.tracing.of_requests(),
        middleware=middleware(settings, telemetry.metrics),
        generate_unique_id_function=_operation_id,
        # A redirect would send a body and a token once more, to wherever a proxy says.
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if api else None,
    )
    app.state.settings = settings
    app.state.telemetry = telemetry
    add_error_handlers(app)
    app.add_exception_handler(Replayed, replay)
    app.include_router(health.router)
    app.include_router(metrics.router)
    if not api:
        return app
    app.include_router(reference.router)
    app.mount(f"{reference.PATH}/assets", reference.assets)
    for module in (auth, api_keys, agents, teams, executions, events, notifications, webhooks):
        app.include_router(module.router, prefix=settings.api_prefix)
    # FastAPI makes the routes of an included router when one is first asked for: no user's wait.
    deque(iter_route_contexts(app.routes), maxlen=0)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name
