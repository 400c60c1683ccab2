"""
Everything that is stored about one user, wherever it is.

Which tables those are is asked of the database: whatever has a `user_id`, and whatever hangs on
that by a foreign key. So a table that is added later is not forgotten.
"""

from collections.abc import AsyncIterator
from graphlib import TopologicalSorter
from typing import LiteralString
from uuid import UUID

from psycopg import sql

from app.infra.db.connection import Connection
from app.usecases.ports import UserRow

#: Hashes, and what webhooks are signed with: worth something to a thief, and nothing to read.
SECRET = frozenset({"hash", "fingerprint", "secret", "previous_secret"})

_COLUMNS: LiteralString = """
SELECT c.relname AS table_name, a.attname AS column_name, a.atttypid = 'bytea'::regtype AS is_bytes
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relnamespace = 'renum'::regnamespace AND c.relkind IN ('r', 'p')
   AND c.relname NOT LIKE 'procrastinate%%'
 ORDER BY c.relname, a.attnum
"""
_FOREIGN_KEYS: LiteralString = """
SELECT child.relname AS child, parent.relname AS parent,
       (SELECT array_agg(a.attname::text ORDER BY k.n)
          FROM unnest(f.conkey) WITH ORDINALITY AS k (attnum, n)
          JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum) AS child_columns,
       (SELECT array_agg(a.attname::text ORDER BY k.n)
          FROM unnest(f.confkey) WITH ORDINALITY AS k (attnum, n)
          JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.attnum) AS parent_columns
  FROM pg_constraint f
  JOIN pg_class child ON child.oid = f.conrelid JOIN pg_class parent ON parent.oid = f.confrelid
 WHERE f.contype = 'f' AND child.relnamespace = 'renum'::regnamespace
"""


class UserDataStore:
    """The `UserData` port."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def rows(self, user_id: UUID) -> AsyncIterator[UserRow]:
        columns = await self._columns()
        for table, belongs in (await self._owned(columns)).items():
            shown = [
                sql.SQL("convert_from({0}, 'UTF8') AS {0}").format(sql.Identifier(name))
                if is_bytes
                else sql.Identifier(name)
                for name, is_bytes in columns[table].items()
                if name not in SECRET
            ]
            query = sql.SQL(
                "SELECT row_to_json(r)::text AS row FROM (SELECT {} FROM {} WHERE {}) r"
            ).format(sql.SQL(", ").join(shown), sql.Identifier("renum", table), belongs)
            # On the server: what is read at once is bounded, however much there is.
            async with self._connection.cursor(name="rows_of_user") as cursor:
                cursor.itersize = 100
                await cursor.execute(query, {"user_id": user_id})
                async for row in cursor:
                    yield UserRow(table, row["row"])

    async def count(self, user_id: UUID) -> dict[str, int]:
        query = sql.SQL("SELECT count(*) AS n FROM {} WHERE {}")
        owned = await self._owned(await self._columns())
        return {
            table: await self._number(query, table, belongs, user_id)
            for table, belongs in owned.items()
        }

    async def delete(self, user_id: UUID) -> dict[str, int]:
        query = sql.SQL(
            "WITH gone AS (DELETE FROM {} WHERE {} RETURNING 1) SELECT count(*) AS n FROM gone"
        )
        owned = await self._owned(await self._columns())
        return {
            table: await self._number(query, table, belongs, user_id)
            for table, belongs in reversed(owned.items())
        }

    async def to_stop(self, user_id: UUID) -> list[UUID]:
        cursor = await self._connection.execute(
            """
            SELECT DISTINCT e.id FROM renum.executions e
              JOIN renum.agent_results r ON r.execution_id = e.id
             WHERE e.user_id = %s AND r.remote_stop = 'pending'
            """,
            (user_id,),
        )
        return [row["id"] for row in await cursor.fetchall()]

    async def _number(
        self, query: sql.SQL, table: str, belongs: sql.Composable, user_id: UUID
    ) -> int:
        cursor = await self._connection.execute(
            query.format(sql.Identifier("renum", table), belongs), {"user_id": user_id}
        )
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101  an aggregate always has one row
        return int(row["n"])

    async def _columns(self) -> dict[str, dict[str, bool]]:
        """Of each table its columns, and whether that one holds bytes."""
        columns: dict[str, dict[str, bool]] = {}
        cursor = await self._connection.execute(_COLUMNS)
        for row in await cursor.fetchall():
            columns.setdefault(row["table_name"], {})[row["column_name"]] = row["is_bytes"]
        return columns

    async def _owned(self, columns: dict[str, dict[str, bool]]) -> dict[str, sql.Composable]:
        """Tables with rows of users, each after those it hangs on; and which rows are one's."""
        cursor = await self._connection.execute(_FOREIGN_KEYS)
        keys = await cursor.fetchall()
        order = TopologicalSorter[str](dict.fromkeys(columns, ()))
        for key in keys:
            if key["child"] != key["parent"]:
                order.add(key["child"], key["parent"])
        owned: dict[str, sql.Composable] = {}
        for table in order.static_order():
            if "user_id" in columns.get(table, {}):
                owned[table] = sql.SQL("user_id = %(user_id)s")
                continue
            for key in keys:
                if key["child"] == table and key["parent"] in owned:
                    owned[table] = sql.SQL("({}) IN (SELECT {} FROM {} WHERE {})").format(
                        sql.SQL(", ").join(map(sql.Identifier, key["child_columns"])),
                        sql.SQL(", ").join(map(sql.Identifier, key["parent_columns"])),
                        sql.Identifier("renum", key["parent"]),
                        owned[key["parent"]],
                    )
                    break
        return owned
