"""What routers ask for, as types: `user: CurrentUser`, `services: Services`, `page: PageQuery`."""

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import Depends, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from app.api.client_ip import client_ip
from app.api.openapi import ACCESS_TOKEN
from app.api.scopes import check_scope
from app.common.paging import Page
from app.core.settings import Settings
from app.core.telemetry import Telemetry
from app.domain.errors import Unauthenticated
from app.domain.users import Identity, User
from app.usecases import services as _usecases
from app.usecases.ports import AgentDirectory

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name=ACCESS_TOKEN,
    bearerFormat="JWT",
    description="The `access_token` of `POST /auth/login` or `POST /auth/refresh`, or an API key.",
)
_EXECUTION = "execution_id"
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


# All `async`, although they wait for nothing: FastAPI sends plain functions to a thread.
async def _services(connection: HTTPConnection) -> _usecases.Services:
    services: _usecases.Services = connection.app.state.services
    return services


async def _settings(connection: HTTPConnection) -> Settings:
    settings: Settings = connection.app.state.settings
    return settings


async def _telemetry(connection: HTTPConnection) -> Telemetry:
    telemetry: Telemetry = connection.app.state.telemetry
    return telemetry


Services = Annotated[_usecases.Services, Depends(_services)]
CurrentSettings = Annotated[Settings, Depends(_settings)]
CurrentTelemetry = Annotated[Telemetry, Depends(_telemetry)]


async def _identity(connection: HTTPConnection, services: Services, bearer: Bearer) -> Identity:
    if bearer is None:
        raise Unauthenticated(
            "Send an access token or an API key, as Authorization: Bearer <token>."
        )
    identity = await services.tokens.verify(bearer.credentials)
    structlog.contextvars.bind_contextvars(
        user_id=str(identity.user.id), **_named(connection.path_params)
    )
    check_scope(connection, identity)
    # Told in the headers of whatever is answered.
    connection.state.allowance = await services.rates.user(identity.user.id)
    return identity


def _named(path: Mapping[str, object]) -> dict[str, str]:
    """Of what the path names, the id that logs are searched for; not checked yet, so only ids."""
    try:
        return {_EXECUTION: str(UUID(str(path[_EXECUTION])))}
    except (KeyError, ValueError):
        return {}


CurrentIdentity = Annotated[Identity, Depends(_identity)]


async def _user(identity: CurrentIdentity) -> User:
    return identity.user


CurrentUser = Annotated[User, Depends(_user)]


async def _agents(services: Services, identity: CurrentIdentity) -> AgentDirectory:
    return services.suna.agents(identity)


Agents = Annotated[AgentDirectory, Depends(_agents)]


async def _page(
    # The bound keeps page * limit within PostgreSQL's bigint.
    page: Annotated[int, Query(ge=1, le=2**31 - 1, description="Counts from 1.")] = 1,
    limit: Annotated[int, Query(ge=1, le=100, description="Items on a page.")] = 10,
) -> Page:
    return Page(page, limit)


PageQuery = Annotated[Page, Depends(_page)]


async def _client_ip(connection: HTTPConnection, settings: CurrentSettings) -> str | None:
    peer = connection.client.host if connection.client else None
    forwarded = connection.headers.getlist("x-forwarded-for")
    return client_ip(peer, forwarded, settings.trusted_proxies)


ClientIp = Annotated[str | None, Depends(_client_ip)]
