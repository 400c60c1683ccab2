"""A database whose process dies after, or just before, its n-th commit."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal

from app.usecases.ports import Database

Moment = Literal["before", "after"]


class Killed(BaseException):
    """`kill -9`: nothing of the process goes on, no handler runs to its end."""


class MortalDatabase:
    """
    Hands on to a real database until its n-th commit; then every use of it is death.

    A single write outside of a transaction is a commit too. `before` dies with everything done
    but the commit: what the process did in the world meanwhile, a started agent say, has happened.
    """

    def __init__(self, db: Database, *, commit: int, moment: Moment) -> None:
        self._db = db
        self._left = commit
        self._moment = moment

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        self._live()
        async with self._db.transaction() as tx:
            yield tx
            last = self._count()
            if last and self._moment == "before":
                raise Killed
        if last:
            raise Killed

    def autocommit(self) -> AbstractAsyncContextManager[Any]:
        return self._single(self._db.autocommit())

    def group_commit(self) -> AbstractAsyncContextManager[Any]:
        return self._single(self._db.group_commit())

    @asynccontextmanager
    async def _single(self, statement: AbstractAsyncContextManager[Any]) -> AsyncIterator[Any]:
        self._live()
        last = self._count()
        if last and self._moment == "before":
            raise Killed
        async with statement as tx:
            yield tx
        if last:
            raise Killed

    async def ping(self) -> None:
        await self._db.ping()

    async def queue_depth(self) -> Any:
        return await self._db.queue_depth()

    def _live(self) -> None:
        if self._left <= 0:
            raise Killed

    def _count(self) -> bool:
        self._left -= 1
        return self._left == 0
