"""
What routers ask for, as types: `call: Call` where somebody has to be signed in, `page: PageQuery`.

FastAPI takes about 10 µs for a dependency, and again wherever another one needs it. So one has all
that most routes need, and none is made of others for the sake of a shorter name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import Depends, Query
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from fastapi.security.utils import get_authorization_scheme_param
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

_EXECUTION = "execution_id"


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


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A request of somebody whom we know."""

    identity: Identity
    services: _usecases.Services

    @property
    def user(self) -> User:
        return self.identity.user

    @property
    def agents(self) -> AgentDirectory:
        """The agents that the caller may have in a team."""
        return self.services.suna.agents(self.identity)


class _SignIn(SecurityBase):
    """Lets in who shows an access token or an API key that holds, may do this, and has not asked
    too often."""

    scheme_name = ACCESS_TOKEN
    model = HTTPBearer(
        bearerFormat="JWT",
        description=(
            "The `access_token` of `POST /auth/login` or `POST /auth/refresh`, or an API key."
        ),
    )

    async def __call__(self, connection: HTTPConnection) -> SignedIn:
        services: _usecases.Services = connection.app.state.services
        identity = await services.tokens.verify(_token(connection))
        structlog.contextvars.bind_contextvars(
            user_id=str(identity.user.id), **_named(connection.path_params)
        )
        check_scope(connection, identity)
        # Told in the headers of whatever is answered.
        connection.state.allowance = await services.rates.user(identity.user.id)
        return SignedIn(identity, services)


def _token(connection: HTTPConnection) -> str:
    scheme, token = get_authorization_scheme_param(connection.headers.get("authorization"))
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated(
            "Send an access token or an API key, as Authorization: Bearer <token>."
        )
    return token


def _named(path: Mapping[str, object]) -> dict[str, str]:
    """Of what the path names, the id that logs are searched for; not checked yet, so only ids."""
    try:
        return {_EXECUTION: str(UUID(str(path[_EXECUTION])))}
    except (KeyError, ValueError):
        return {}


Call = Annotated[SignedIn, Depends(_SignIn())]


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
