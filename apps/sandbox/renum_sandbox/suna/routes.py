"""Which route stands in which dialect, and the documents that say so."""

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from renum_sandbox.suna import (
    agent_routes,
    gateway_routes,
    run_routes,
    start_routes,
    thread_routes,
)
from renum_sandbox.suna.dialect import Dialect

_FOLLOWING = (run_routes.router, thread_routes.router)
_PARTS = {
    Dialect.INITIATE: (start_routes.initiate_router, *_FOLLOWING),
    Dialect.START_A2: (start_routes.start_a2_router, *_FOLLOWING),
    Dialect.START: (start_routes.start_router, *_FOLLOWING),
    Dialect.EXECUTE: (gateway_routes.router,),
}


def add_to(app: FastAPI) -> None:
    """
    Serve every dialect, each described by the openapi.json below its root.

    Clients read there which dialect they meet. Those at the root of the server share its
    document; the others have their own, and are left out of that one.
    """
    for dialect in Dialect:
        router = _router(dialect)
        app.include_router(router, include_in_schema=not dialect.root)
        if dialect.root:
            _describe(app, dialect, router)


def _router(dialect: Dialect) -> APIRouter:
    joined = APIRouter(prefix=dialect.prefix)
    for part in (agent_routes.router, *_PARTS[dialect]):
        joined.include_router(part)
    return joined


def _describe(app: FastAPI, dialect: Dialect, router: APIRouter) -> None:
    @app.get(f"{dialect.root}/openapi.json", include_in_schema=False)
    async def document() -> dict[str, Any]:
        title = f"{app.title}: {dialect}"
        return get_openapi(title=title, version=app.version, routes=router.routes)
