"""Which route stands in which era."""

from fastapi import APIRouter

from renum_sandbox.suna import agent_routes, run_routes, start_routes, thread_routes
from renum_sandbox.suna.dialect import Dialect

_SHARED = (agent_routes.router, run_routes.router, thread_routes.router)


def router(dialect: Dialect) -> APIRouter:
    """All routes of one era, under its prefix."""
    era_a = dialect is Dialect.INITIATE
    own = start_routes.initiate_router if era_a else start_routes.start_router
    joined = APIRouter(prefix=dialect.prefix)
    for part in (*_SHARED, own):
        joined.include_router(part)
    return joined
