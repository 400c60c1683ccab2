"""Who calls: an account behind an API key, or a user behind a Supabase token."""

from typing import Annotated

from fastapi import Depends, Header, HTTPException, Query

from renum_sandbox.auth import tokens
from renum_sandbox.constants import SUNA_ACCOUNT_ID, SUNA_API_KEY
from renum_sandbox.context import CurrentSandbox, Sandbox
from renum_sandbox.suna.dialect import CurrentDialect, Dialect
from renum_sandbox.suna.errors import unauthenticated


async def _account(
    sandbox: CurrentSandbox,
    dialect: CurrentDialect,
    x_api_key: Annotated[str | None, Header()] = None,
    authorization: Annotated[str, Header()] = "",
) -> str:
    """
    The account id of the caller; the API key is looked at first.

    Era A of the real Suna does not verify a token's signature. This one always does: a client
    that is correct notices no difference, and one that forwards an old token shall.
    """
    if x_api_key is not None:
        return _by_key(x_api_key, dialect)
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise unauthenticated("No valid authentication credentials found")
    return _by_token(sandbox, token, dialect)


async def _stream_account(
    sandbox: CurrentSandbox,
    dialect: CurrentDialect,
    token: Annotated[str | None, Query()] = None,
    x_api_key: Annotated[str | None, Header()] = None,
    authorization: Annotated[str, Header()] = "",
) -> str:
    """As `_account`; streams also take the token from the address, for browsers."""
    if token and x_api_key is None and not authorization:
        return _by_token(sandbox, token, dialect)
    return await _account(sandbox, dialect, x_api_key, authorization)


Account = Annotated[str, Depends(_account)]
StreamAccount = Annotated[str, Depends(_stream_account)]


def _by_key(key: str, dialect: Dialect) -> str:
    if ":" not in key:
        raise unauthenticated("Invalid API key format. Expected format: pk_xxx:sk_xxx")
    if key == SUNA_API_KEY:
        return SUNA_ACCOUNT_ID
    if dialect is Dialect.START:
        raise unauthenticated("Invalid API key")
    right_public = key.partition(":")[0] == SUNA_API_KEY.partition(":")[0]
    reason = "Invalid secret key" if right_public else "API key not found"
    raise unauthenticated(f"Invalid API key: {reason}")


def _by_token(sandbox: Sandbox, token: str, dialect: Dialect) -> str:
    try:
        return sandbox.verify(token).user_id
    except tokens.BadToken as error:
        raise _refused(dialect, expired=error.expired) from error


def _refused(dialect: Dialect, *, expired: bool) -> HTTPException:
    if dialect is not Dialect.START:
        return unauthenticated("Invalid token")
    return unauthenticated("Token has expired" if expired else "Invalid token signature")
