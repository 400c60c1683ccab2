"""API keys, by their hash."""

from datetime import datetime
from uuid import UUID

from app.common.paging import Page, Paged
from app.domain.api_keys import ApiKey, ApiKeyNotFound, Scope
from app.domain.users import User
from app.infra.db.connection import Connection, Row


class ApiKeyStore:
    """The `ApiKeys` port."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, key: ApiKey, secret_hash: bytes) -> None:
        await self._connection.execute(
            """
            INSERT INTO renum.api_keys (id, user_id, email, user_name, name, prefix, hash, scopes,
                                        created_at, expires_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            (
                key.id,
                key.user.id,
                key.user.email,
                key.user.name,
                key.name,
                key.prefix,
                secret_hash,
                sorted(key.scopes),
                key.created_at,
                key.expires_at,
            ),
        )

    async def count(self, user_id: UUID) -> int:
        cursor = await self._connection.execute(
            "SELECT count(*) AS n FROM renum.api_keys WHERE user_id = %s", (user_id,)
        )
        row = await cursor.fetchone()
        return int(row["n"]) if row else 0

    async def find(self, secret_hash: bytes) -> ApiKey | None:
        cursor = await self._connection.execute(
            "SELECT * FROM renum.api_keys WHERE hash = %s", (secret_hash,)
        )
        row = await cursor.fetchone()
        return _key(row) if row else None

    async def used(self, key_id: UUID, *, now: datetime) -> None:
        await self._connection.execute(
            "UPDATE renum.api_keys SET last_used_at = %s WHERE id = %s", (now, key_id)
        )

    async def page(self, page: Page, *, user_id: UUID) -> Paged[ApiKey]:
        async with self._connection.pipeline():
            rows = await self._connection.execute(
                """
                SELECT * FROM renum.api_keys WHERE user_id = %s
                 ORDER BY id DESC LIMIT %s OFFSET %s
                """,
                (user_id, page.limit, page.offset),
            )
            count = await self._connection.execute(
                "SELECT count(*) AS n FROM renum.api_keys WHERE user_id = %s", (user_id,)
            )
            items = tuple(_key(row) for row in await rows.fetchall())
            total = await count.fetchone()
        return Paged(items, total["n"] if total else 0)

    async def delete(self, key_id: UUID, *, user_id: UUID) -> None:
        cursor = await self._connection.execute(
            "DELETE FROM renum.api_keys WHERE id = %s AND user_id = %s", (key_id, user_id)
        )
        if not cursor.rowcount:
            raise ApiKeyNotFound(key_id)


def _key(row: Row) -> ApiKey:
    return ApiKey(
        id=row["id"],
        user=User(id=row["user_id"], email=row["email"], name=row["user_name"]),
        name=row["name"],
        prefix=row["prefix"],
        scopes=frozenset(map(Scope, row["scopes"])),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
    )
