"""Executions: runs of teams."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Literal

from renum.models import (
    Cancelled,
    Event,
    Execution,
    ExecutionPage,
    Explanation,
    LogLine,
    LogPage,
    Timeline,
)
from renum.resources.base import LARGEST_PAGE, Resource, keyed, pages, part
from renum.sse import follow

_LARGEST_LOG_PAGE = 500


class Executions(Resource):
    """Runs of teams; they are started by `teams.execute`."""

    async def get(self, execution_id: str) -> Execution:
        """Raises NotFound where there is none of this user."""
        return await self._ask(Execution, "GET", f"executions/{part(execution_id)}")

    async def list(
        self,
        *,
        team_id: str | None = None,
        status: str | Sequence[str] | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        page: int = 1,
        limit: int = 10,
    ) -> ExecutionPage:
        """Newest first; with several values of `status`, any of them. Times need a time zone."""
        params = {
            "team_id": team_id,
            "status": status,
            "created_after": created_after and created_after.isoformat(),
            "created_before": created_before and created_before.isoformat(),
            "page": page,
            "limit": limit,
        }
        return await self._ask(ExecutionPage, "GET", "executions", params=params)

    async def all(
        self, *, team_id: str | None = None, status: str | Sequence[str] | None = None
    ) -> AsyncIterator[Execution]:
        """Every execution; one request per 100."""
        async for page in pages(
            lambda number: self.list(
                team_id=team_id, status=status, page=number, limit=LARGEST_PAGE
            )
        ):
            for execution in page.executions:
                yield execution

    async def logs(self, execution_id: str, *, after: int = 0, limit: int = 100) -> LogPage:
        """The log lines after line number `after`, oldest first."""
        params = {"after": after, "limit": limit}
        path = f"executions/{part(execution_id)}/logs"
        return await self._ask(LogPage, "GET", path, params=params)

    async def all_logs(self, execution_id: str, *, after: int = 0) -> AsyncIterator[LogLine]:
        """Every log line after number `after`, in as many requests as it takes."""
        following: int | None = after
        while following is not None:
            page = await self.logs(execution_id, after=following, limit=_LARGEST_LOG_PAGE)
            for line in page.logs:
                yield line
            following = page.next_after

    async def explain(self, execution_id: str) -> Explanation:
        """What it waits for, and what happens next."""
        return await self._ask(Explanation, "GET", f"executions/{part(execution_id)}/explain")

    async def timeline(self, execution_id: str) -> Timeline:
        """Where its time went, attempt by attempt."""
        return await self._ask(Timeline, "GET", f"executions/{part(execution_id)}/timeline")

    async def result_text(
        self, execution_id: str, key: str, field: Literal["input", "output"] = "output"
    ) -> str:
        """The whole text of a result, which `get` may give the beginning of only."""
        path = f"executions/{part(execution_id)}/results/{part(key)}/{field}"
        return await self._session.send_for_text(path)

    async def events(self, execution_id: str, *, after: int = 0) -> AsyncIterator[Event]:
        """
        Its events after number `after`, to its end, over server-sent events; a lost connection
        comes back by itself. `client.events` has everything of the user on one connection.
        """
        path = f"executions/{part(execution_id)}/events"
        async for event in follow(self._session, path, after=after):
            yield event

    async def retry(self, execution_id: str, *, idempotency_key: str | None = None) -> Execution:
        """
        A new execution that takes over what a failed or cancelled one has finished.

        Raises Conflict for any other; the key is as in `teams.execute`.
        """
        path = f"executions/{part(execution_id)}/retry"
        return await self._ask(Execution, "POST", path, headers=keyed(idempotency_key))

    async def cancel(self, execution_id: str) -> Cancelled:
        """Cancelling twice is no error; a completed or failed one is a Conflict."""
        return await self._ask(Cancelled, "POST", f"executions/{part(execution_id)}/cancel")
