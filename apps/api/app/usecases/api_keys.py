"""API keys as their owner makes them, and as their bearer shows them."""

from datetime import datetime, timedelta
from uuid import UUID

from app.common.paging import Page, Paged
from app.domain.api_keys import MARK, MAX_KEYS, ApiKey, KeySecret, Scope, TooManyApiKeys
from app.domain.users import Identity, InvalidToken, User
from app.usecases.ports import Clock, Database, NewId, TokenVerifier

#: How exactly the time of the last use is known: not every request writes.
_USED_WITHIN = timedelta(minutes=1)
#: A live session asks again so often whether its key still holds.
_ASKED_AGAIN = timedelta(minutes=5)


async def create_api_key(
    db: Database,
    new_id: NewId,
    *,
    user: User,
    name: str,
    scopes: frozenset[Scope],
    expires_at: datetime | None,
    now: datetime,
) -> tuple[ApiKey, KeySecret]:
    """The key, and its secret, which nobody can show again. Raises TooManyApiKeys."""
    secret = KeySecret.fresh()
    key = ApiKey(
        id=new_id(),
        user=user,
        name=name,
        prefix=secret.prefix,
        scopes=scopes,
        created_at=now,
        expires_at=expires_at,
        last_used_at=None,
    )
    async with db.transaction() as tx:
        await tx.events.lock(user.id)
        if await tx.api_keys.count(user.id) >= MAX_KEYS:
            raise TooManyApiKeys(f"You have {MAX_KEYS} API keys already; delete one of them.")
        await tx.api_keys.add(key, secret.hash)
    return key, secret


async def list_api_keys(db: Database, page: Page, *, user_id: UUID) -> Paged[ApiKey]:
    """Newest first, also those that hold no longer."""
    async with db.autocommit() as tx:
        return await tx.api_keys.page(page, user_id=user_id)


async def delete_api_key(db: Database, key_id: UUID, *, user_id: UUID) -> None:
    """It opens nothing from here on. Raises ApiKeyNotFound."""
    async with db.autocommit() as tx:
        await tx.api_keys.delete(key_id, user_id=user_id)


class TokensAndKeys:
    """The `TokenVerifier` port for both kinds of bearer: access tokens and API keys."""

    def __init__(self, db: Database, tokens: TokenVerifier, clock: Clock) -> None:
        self._db = db
        self._tokens = tokens
        self._clock = clock

    async def verify(self, token: str) -> Identity:
        if not token.startswith(MARK):
            return await self._tokens.verify(token)
        now = self._clock()
        async with self._db.autocommit() as tx:
            key = await tx.api_keys.find(KeySecret(token).hash)
            if key is None or not key.holds_at(now):
                raise InvalidToken("The API key does not hold: it is unknown, deleted or expired.")
            if key.last_used_at is None or key.last_used_at < now - _USED_WITHIN:
                await tx.api_keys.used(key.id, now=now)
        again = now + _ASKED_AGAIN
        return Identity(
            user=key.user,
            session_id=None,
            expires_at=again if key.expires_at is None else min(again, key.expires_at),
            token=token,
            scopes=key.scopes,
        )
