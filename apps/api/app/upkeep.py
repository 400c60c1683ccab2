"""What an operator does by hand, on the database and on Suna: no server runs in these processes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO
from uuid import UUID

import structlog

from app.bootstrap import bootstrap
from app.core.settings import Settings
from app.core.telemetry import Telemetry
from app.infra.db.database import PostgresDatabase, create_pool
from app.usecases.restoring import restart_event_logs
from app.usecases.user_data import delete_user

_log = structlog.get_logger(__name__)


def count_user(settings: Settings, user_id: UUID) -> dict[str, int]:
    """What is stored about a user: rows by table, without tables that have none. Blocks."""

    async def count() -> dict[str, int]:
        async with _database(settings.database_url.get_secret_value()) as db, db.snapshot() as tx:
            return _some(await tx.user_data.count(user_id))

    return asyncio.run(count())


def export_user(settings: Settings, user_id: UUID, out: Path) -> dict[str, int]:
    """
    Write all that is stored about a user, as of one moment, to a new file: one JSON object a line,
    `{"table", "row"}`, between a line that says what this is and one that counts. Blocks.

    Only the owner may read the file. Raises FileExistsError, OSError; then no file is left.
    """
    out.touch(mode=0o600, exist_ok=False)
    try:
        with out.open("w", encoding="utf-8") as file:
            counts = asyncio.run(_export(settings, user_id, file))
    except BaseException:
        out.unlink()
        raise
    _log.warning("exported the data of a user", user_id=str(user_id), rows=counts)
    return counts


def forget_user(settings: Settings, user_id: UUID) -> dict[str, int]:
    """Stop what runs for a user and delete all that is stored; rows by table. Blocks.

    Raises StillRunning."""

    async def forget(telemetry: Telemetry) -> dict[str, int]:
        async with bootstrap(settings, telemetry) as services:
            return _some(
                await delete_user(
                    services.db,
                    services.suna.runtime,
                    services.limits,
                    services.new_id,
                    services.clock,
                    user_id,
                )
            )

    telemetry = Telemetry.of(settings)
    try:
        return asyncio.run(forget(telemetry))
    finally:
        telemetry.tracing.close()


def restart_logs(url: str) -> int:
    """See `restart_event_logs`. Blocks."""

    async def restart() -> int:
        async with _database(url) as db:
            return await restart_event_logs(db)

    return asyncio.run(restart())


async def _export(settings: Settings, user_id: UUID, file: TextIO) -> dict[str, int]:
    counts: dict[str, int] = {}
    now = datetime.now(UTC).isoformat()
    _write(file, {"renum_export": 1, "user_id": str(user_id), "exported_at": now})
    url = settings.database_url.get_secret_value()
    async with _database(url) as db, db.snapshot() as tx:
        async for row in tx.user_data.rows(user_id):
            file.write(f'{{"table": {json.dumps(row.table)}, "row": {row.json}}}\n')
            counts[row.table] = counts.get(row.table, 0) + 1
    _write(file, {"end": counts})
    return counts


def _write(file: TextIO, line: object) -> None:
    file.write(json.dumps(line) + "\n")


@asynccontextmanager
async def _database(url: str) -> AsyncIterator[PostgresDatabase]:
    async with create_pool(url, size=1) as pool:
        yield PostgresDatabase(pool)


def _some(counts: dict[str, int]) -> dict[str, int]:
    return {table: n for table, n in counts.items() if n}
