"""Texts that are too long for the row of their result."""

from collections.abc import Sequence
from uuid import UUID

from app.domain.texts import LongText, TextField
from app.infra.db.connection import Connection, Row

#: Takes the execution's `id`, and what `columns_of` makes.
SAVE_TEXTS = """
INSERT INTO renum.texts (execution_id, key, field, body)
SELECT %(id)s, given.* FROM unnest(
    %(text_keys)s::text[], %(text_fields)s::text[], %(text_bodies)s::bytea[]
) AS given
ON CONFLICT (execution_id, key, field) DO UPDATE SET body = excluded.body
"""


def columns_of(texts: Sequence[LongText]) -> Row:
    return {
        "text_keys": [text.key for text in texts],
        "text_fields": [text.field for text in texts],
        "text_bodies": [text.text.encode(errors="replace") for text in texts],
    }


async def copy_reused_texts(connection: Connection, execution_id: UUID, *, of: UUID) -> None:
    """Give an execution the texts of the results that it took over."""
    await connection.execute(
        """
        INSERT INTO renum.texts (execution_id, key, field, body)
        SELECT r.execution_id, t.key, t.field, t.body
          FROM renum.agent_results r JOIN renum.texts t ON t.key = r.key
         WHERE r.execution_id = %s AND r.reused AND t.execution_id = %s
        """,
        (execution_id, of),
    )


async def read_texts(
    connection: Connection, execution_id: UUID, field: TextField, keys: Sequence[str]
) -> dict[str, str]:
    cursor = await connection.execute(
        """
        SELECT key, body FROM renum.texts
         WHERE execution_id = %s AND field = %s AND key = ANY(%s)
        """,
        (execution_id, field, list(keys)),
    )
    return {row["key"]: row["body"].decode() for row in await cursor.fetchall()}
