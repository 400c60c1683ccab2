"""Signing in and out (specification §2), with Supabase Auth behind it."""

from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.api.deps import Call, ClientIp, Services
from app.api.errors import problem
from app.api.section import Section
from app.domain.errors import Unauthenticated
from app.domain.rates import LoginLimitUnavailable, RateLimited
from app.domain.users import (
    AmbiguousRefreshToken,
    AuthRateLimited,
    AuthUnavailable,
    CaptchaFailed,
    EmailNotConfirmed,
    InvalidCredentials,
    InvalidRefreshToken,
    LoginUnavailable,
    Session,
    User,
    UserBanned,
)
from app.schemas.auth import Login, Refresh, SessionAnswer, UserAnswer

router = Section(prefix="/auth", tags=["Authentication"])

#: Supabase's refresh tokens have 12 characters or a few hundred; others are not worth a call.
_REFRESH_TOKEN_LENGTHS = range(12, 513)

_refresh_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="refresh_token",
    description="The newest `refresh_token`, from login or from the last refresh.",
)


@router.post(
    "/login",
    response_model=SessionAnswer,
    responses=problem(
        InvalidCredentials,
        CaptchaFailed,
        EmailNotConfirmed,
        UserBanned,
        AuthRateLimited,
        LoginUnavailable,
        RateLimited,
        LoginLimitUnavailable,
        AuthUnavailable,
    ),
)
async def login(body: Login, services: Services, client_ip: ClientIp) -> Session:
    """Sign in with e-mail and password."""
    await services.rates.login(body.email, client_ip)
    return await services.identity.login(
        body.email, body.password, captcha_token=body.captcha_token, client_ip=client_ip
    )


@router.post(
    "/refresh",
    response_model=SessionAnswer,
    responses=problem(
        Unauthenticated,
        InvalidRefreshToken,
        AmbiguousRefreshToken,
        UserBanned,
        AuthRateLimited,
        AuthUnavailable,
    ),
)
async def refresh(
    services: Services,
    client_ip: ClientIp,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_refresh_bearer)],
    body: Refresh | None = None,
) -> Session:
    """
    Get a new access token, and the refresh token for the next time.

    The refresh token comes as `Authorization: Bearer <refresh_token>` or in the body.
    """
    token = _only(bearer.credentials if bearer else None, body.refresh_token if body else None)
    return await services.identity.refresh(token, client_ip=client_ip)


@router.post("/logout", status_code=204)
async def logout(call: Call) -> None:
    """End this session; others of the same user go on. Access tokens live until they expire."""
    await call.services.identity.logout(call.identity.token)


@router.get("/me", response_model=UserAnswer)
async def me(call: Call) -> User:
    """Who the access token belongs to."""
    return call.user


def _only(in_header: str | None, in_body: str | None) -> str:
    if in_header and in_body and in_header != in_body:
        raise AmbiguousRefreshToken("The header and the body carry different refresh tokens.")
    token = in_body or in_header
    if token is None:
        raise Unauthenticated(
            "Send the refresh token, as Authorization: Bearer <refresh_token> or in the body."
        )
    if len(token) not in _REFRESH_TOKEN_LENGTHS:
        raise InvalidRefreshToken("This is not a refresh token.")
    return token
