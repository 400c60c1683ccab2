"""PostgreSQL through one pool of psycopg: transactions in one round trip, errors in our words."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import cast
from uuid import UUID

import psycopg
import psycopg_pool
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from psycopg.types.json import set_json_dumps, set_json_loads
from pydantic_core import from_json, to_json

from app.domain.errors import DatabaseUnavailable
from app.domain.events import Event
from app.domain.execution_errors import Fenced
from app.infra.db.api_keys import ApiKeyStore
from app.infra.db.capacity import CapacityStore
from app.infra.db.connection import Connection
from app.infra.db.events import EventStore
from app.infra.db.executions import ExecutionStore
from app.infra.db.group_commit import GroupCommit
from app.infra.db.idempotency import IdempotencyStore
from app.infra.db.jobs import JobStore
from app.infra.db.notifications import NotificationStore
from app.infra.db.reports import ReportStore
from app.infra.db.retention import RetentionStore
from app.infra.db.teams import TeamStore
from app.infra.db.user_data import UserDataStore
from app.infra.db.webhooks import WebhookStore
from app.usecases.ports import QueueDepth

#: Raised by renum.fenced() in the database.
_FENCED = "RN001"
_TRANSACTION_POOLER_PORT = "6543"


class Pool(psycopg_pool.AsyncConnectionPool[Connection]):
    """Of connections that are as they were given out."""

    async def putconn(self, conn: Connection) -> None:
        # Whoever is cancelled while he enters a pipeline, on a busy loop, does not leave it.
        # What is executed over it after that has no answer, and is committed later, or never.
        if conn.pgconn.pipeline_status:
            await conn.close()
        await super().putconn(conn)


Configure = Callable[[Connection], Awaitable[None]]
Ring = Callable[[UUID], None]
Committed = Callable[[Iterable[Event]], None]


def create_pool(url: str, *, size: int, configure: Configure | None = None) -> Pool:
    """A closed pool of autocommit connections; `async with` opens it."""

    async def set_up(connection: Connection) -> None:
        set_json_loads(from_json, connection)
        set_json_dumps(to_json, connection)
        if configure:
            await configure(connection)

    pooled = conninfo_to_dict(url).get("port") == _TRANSACTION_POOLER_PORT
    return Pool(
        url,
        kwargs={
            "autocommit": True,
            "row_factory": dict_row,
            # A transaction pooler gives every transaction another backend, which knows no
            # statement that an earlier one prepared.
            "prepare_threshold": None if pooled else 5,
        },
        configure=set_up,
        reset=_release_server if pooled else None,
        min_size=min(2, size),
        max_size=size,
        timeout=10,
        open=False,
        name="renum",
    )


async def _release_server(connection: Connection) -> None:
    """
    Let a transaction pooler have its server back.

    psycopg ends a pipeline with a Sync and then a Flush. A Flush that comes after the answer to
    the Sync begins a transaction, as a pooler sees it, which ends with the next statement only.
    The pool calls this in the background, so nobody waits for it.
    """
    await connection.execute("")


class PostgresTransaction:
    """The stores, all on one connection."""

    def __init__(self, connection: Connection, *, notify: bool) -> None:
        self.events = EventStore(connection, notify=notify)
        self.teams = TeamStore(connection)
        self.executions = ExecutionStore(connection, self.events)
        self.capacity = CapacityStore(connection)
        self.reports = ReportStore(connection)
        self.notifications = NotificationStore(connection)
        self.api_keys = ApiKeyStore(connection)
        self.idempotency = IdempotencyStore(connection)
        self.webhooks = WebhookStore(connection)
        self.jobs = JobStore(connection)
        self.user_data = UserDataStore(connection)
        self.retention = RetentionStore(connection)


class PostgresDatabase:
    """The `Database` port."""

    def __init__(
        self, pool: Pool, *, ring: Ring | None = None, committed: Committed | None = None
    ) -> None:
        """*ring* is told after each commit who has new events; without it, NOTIFY does that.
        *committed* is told the events themselves."""
        self._pool = pool
        self._ring = ring
        self._committed = committed
        self._group = GroupCommit(pool)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresTransaction]:
        # In pipeline mode statements wait for each other only where a result is read: a
        # transition that reads nothing is one round trip, BEGIN and COMMIT included.
        with _translated():
            async with (
                self._pool.connection() as connection,
                connection.pipeline(),
                connection.transaction(),
            ):
                tx = self._stores(connection)
                yield tx
        self._tell(tx)

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[PostgresTransaction]:
        with _translated():
            async with self._pool.connection() as connection:
                tx = self._stores(connection)
                yield tx
        self._tell(tx)

    @asynccontextmanager
    async def group_commit(self) -> AsyncIterator[PostgresTransaction]:
        with _translated():
            # It executes as a connection does, and does nothing else.
            tx = self._stores(cast("Connection", self._group))
            yield tx
        self._tell(tx)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[PostgresTransaction]:
        with _translated():
            async with self._pool.connection() as connection, connection.transaction():
                await connection.execute(
                    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
                )
                yield self._stores(connection)

    async def ping(self) -> None:
        with _translated():
            async with self._pool.connection() as connection:
                await connection.execute("SELECT 1")

    async def queue_depth(self) -> QueueDepth:
        async with self.autocommit() as tx:
            return await tx.jobs.depth()

    def _tell(self, tx: PostgresTransaction) -> None:
        """What was committed, to those who want to know."""
        if self._ring is not None:
            for user_id in tx.events.rung:
                self._ring(user_id)
        if self._committed is not None:
            self._committed(tx.events.appended)

    def _stores(self, connection: Connection) -> PostgresTransaction:
        return PostgresTransaction(connection, notify=self._ring is None)


class _translated:  # noqa: N801  a context manager, used like a function
    """Foreign errors stop here, with their cause."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, psycopg.Error) and error.sqlstate == _FENCED:
            raise Fenced("Another worker has taken over, or it was cancelled.") from error
        if isinstance(error, psycopg.OperationalError | psycopg_pool.PoolClosed):
            raise DatabaseUnavailable("The database does not answer; try again.") from error
