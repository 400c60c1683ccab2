"""
Group commit: single statements of many tasks share a round trip and a commit.

Where little goes on, each statement goes by itself, at once. Where more are under way than that,
those that come gather while a group is sent, and are the next one: so nobody waits longer for it,
and the more goes on, the less each one costs.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

import psycopg_pool
from psycopg import AsyncCursor

from app.infra.db.connection import Connection, Row

_Parameters = Mapping[str, Any] | Sequence[Any]
#: So many go by themselves at once, before others gather.
_BY_THEMSELVES = 2
#: Whoever waits for a lock for longer must not keep others waiting.
_PATIENCE_S = 0.05
_BOUNDED: LiteralString = "SET LOCAL lock_timeout = '50ms'"


class GroupCommit:
    """Executes as a connection does, for whoever needs no more than one statement."""

    def __init__(self, pool: psycopg_pool.AsyncConnectionPool[Connection]) -> None:
        self._pool = pool
        self._waiting: list[_Statement] = []
        self._sending: asyncio.Task[None] | None = None
        #: Statements under way by themselves.
        self._by_themselves = 0
        #: Those of groups that had to be taken apart.
        self._apart: set[asyncio.Task[None]] = set()

    async def execute(self, query: LiteralString, parameters: _Parameters) -> AsyncCursor[Row]:
        """
        Returns once it is committed. Raises as a connection does.

        Cancelled meanwhile, it may be committed all the same, as always when the answer of a
        database is not waited for.
        """
        statement = _Statement(query, parameters)
        if self._sending is None and self._by_themselves < _BY_THEMSELVES:
            self._by_themselves += 1
            try:
                async with self._pool.connection() as connection:
                    return await statement.sent_over(connection)
            finally:
                self._by_themselves -= 1
        self._waiting.append(statement)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all(), name="group commit")
        return await statement.done

    async def _send_all(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            if len(group) == 1 or not await self._together(group):
                await self._each_alone(group)
        # At once after the look at what waits: whoever comes next begins anew.
        self._sending = None

    async def _together(self, group: "Sequence[_Statement]") -> bool:
        """Whether this was the end of all of them; else none is committed."""
        # Everywhere in the same order: two groups never wait for each other.
        group = sorted(group, key=lambda statement: statement.locks)
        connection: Connection | None = None
        try:
            async with (
                self._pool.connection() as connection,
                connection.pipeline(),
                connection.transaction(),
            ):
                await connection.execute(_BOUNDED)
                cursors = [await statement.sent_over(connection) for statement in group]
        except Exception as error:  # noqa: BLE001  whatever it is, somebody waits for it
            if connection is not None and not connection.broken:
                return False
            for statement in group:  # whether they are committed, nobody can tell
                statement.fail(error)
        else:
            for statement, cursor in zip(group, cursors, strict=True):
                statement.succeed(cursor)
        return True

    async def _each_alone(self, group: "Sequence[_Statement]") -> None:
        """Returns before they end, when one of them takes long: others must not wait for it."""
        tasks = {asyncio.create_task(self._alone(statement)) for statement in group}
        self._apart |= tasks
        for task in tasks:
            task.add_done_callback(self._apart.discard)
        await asyncio.wait(tasks, timeout=_PATIENCE_S)

    async def _alone(self, statement: "_Statement") -> None:
        try:
            async with self._pool.connection() as connection:
                statement.succeed(await statement.sent_over(connection))
        except Exception as error:  # noqa: BLE001  whatever it is, somebody waits for it
            statement.fail(error)


class _Statement:
    def __init__(self, query: LiteralString, parameters: _Parameters) -> None:
        self._query, self._parameters = query, parameters
        self.done: asyncio.Future[AsyncCursor[Row]] = asyncio.get_running_loop().create_future()

    @property
    def locks(self) -> str:
        """Whose row in `event_heads` it locks, if anybody's."""
        if not isinstance(self._parameters, Mapping):
            return ""
        return str(self._parameters.get("user_id", ""))

    async def sent_over(self, connection: Connection) -> AsyncCursor[Row]:
        return await connection.execute(self._query, self._parameters)

    def succeed(self, cursor: AsyncCursor[Row]) -> None:
        if not self.done.done():
            self.done.set_result(cursor)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)
