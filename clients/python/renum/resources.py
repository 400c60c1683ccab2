"""The API's things, one class each; every method is one request unless it says otherwise."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from renum.models import (
    Agent,
    AgentPage,
    Cancelled,
    Execution,
    ExecutionPage,
    Notification,
    NotificationPage,
    Pagination,
    Team,
    TeamPage,
    TeamSummary,
)
from renum.parse import parse
from renum.session import Session

_LARGEST_PAGE = 100


class Agents:
    """Suna's agents, which teams are made of."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(
        self,
        *,
        page: int = 1,
        limit: int = 10,
        search: str | None = None,
        category: str | None = None,
    ) -> AgentPage:
        params = {"page": page, "limit": limit, "search": search, "category": category}
        return parse(AgentPage, await self._session.send("GET", "agents", params=params))

    async def all(self, *, search: str | None = None) -> AsyncIterator[Agent]:
        """Every agent; one request per 100."""
        page, more = 1, True
        while more:
            found = await self.list(page=page, limit=_LARGEST_PAGE, search=search)
            for agent in found.agents:
                yield agent
            page, more = page + 1, _has_more(found.pagination)

    async def get(self, agent_id: str) -> Agent:
        return parse(Agent, await self._session.send("GET", f"agents/{_part(agent_id)}"))


class Teams:
    """The user's teams."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, *, page: int = 1, limit: int = 10, search: str | None = None) -> TeamPage:
        params = {"page": page, "limit": limit, "search": search}
        return parse(TeamPage, await self._session.send("GET", "teams", params=params))

    async def all(self, *, search: str | None = None) -> AsyncIterator[TeamSummary]:
        """Every team; one request per 100."""
        page, more = 1, True
        while more:
            found = await self.list(page=page, limit=_LARGEST_PAGE, search=search)
            for team in found.teams:
                yield team
            page, more = page + 1, _has_more(found.pagination)

    async def create(self, team: Mapping[str, Any], *, idempotency_key: str | None = None) -> Team:
        """`team` is the specification's JSON: name, workflow_type, agents and so on."""
        answer = await self._session.send(
            "POST", "teams", json=dict(team), headers=_idempotency(idempotency_key)
        )
        return parse(Team, answer)

    async def get(self, team_id: str) -> Team:
        return parse(Team, await self._session.send("GET", f"teams/{_part(team_id)}"))

    async def update(
        self, team_id: str, changes: Mapping[str, Any], *, version: int | None = None
    ) -> Team:
        """
        Change any subset of fields.

        `version` is sent as If-Match: a server that honours it answers with Conflict when the
        team was changed since.
        """
        answer = await self._session.send(
            "PUT",
            f"teams/{_part(team_id)}",
            json=dict(changes),
            headers=None if version is None else {"If-Match": f'"{version}"'},
        )
        return parse(Team, answer)

    async def delete(self, team_id: str) -> None:
        await self._session.send("DELETE", f"teams/{_part(team_id)}")

    async def execute(
        self,
        team_id: str,
        prompt: str,
        *,
        context: Mapping[str, Any] | None = None,
        timeout_minutes: int | None = None,
        parallel_limit: int | None = None,
        retry_failed: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Execution:
        """
        Start a run; None leaves a choice to the server.

        It is never sent twice: after ConnectionFailed with `sent`, the run may exist. Where the
        server honours `idempotency_key`, the same call with the same key starts nothing twice.
        """
        config = {
            "timeout_minutes": timeout_minutes,
            "parallel_limit": parallel_limit,
            "retry_failed": retry_failed,
        }
        body: dict[str, Any] = {"input_data": {"prompt": prompt}}
        if context is not None:
            body["input_data"]["context"] = dict(context)
        if chosen := {key: value for key, value in config.items() if value is not None}:
            body["execution_config"] = chosen
        answer = await self._session.send(
            "POST",
            f"teams/{_part(team_id)}/execute",
            json=body,
            headers=_idempotency(idempotency_key),
        )
        return parse(Execution, answer)


class Executions:
    """Runs of teams; they are started by `teams.execute`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, execution_id: str) -> Execution:
        path = f"executions/{_part(execution_id)}"
        return parse(Execution, await self._session.send("GET", path))

    async def list(
        self,
        *,
        team_id: str | None = None,
        status: str | Sequence[str] | None = None,
        page: int = 1,
        limit: int = 10,
    ) -> ExecutionPage:
        """Newest first; with several values of `status`, any of them."""
        params = {"team_id": team_id, "status": status, "page": page, "limit": limit}
        return parse(ExecutionPage, await self._session.send("GET", "executions", params=params))

    async def cancel(self, execution_id: str) -> Cancelled:
        """Cancelling twice is no error; a completed or failed one is a Conflict."""
        path = f"executions/{_part(execution_id)}/cancel"
        return parse(Cancelled, await self._session.send("POST", path))


class Notifications:
    """What happened while nobody looked."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(
        self, *, page: int = 1, limit: int = 10, unread: bool | None = None
    ) -> NotificationPage:
        params = {"page": page, "limit": limit, "unread": unread}
        answer = await self._session.send("GET", "notifications", params=params)
        return parse(NotificationPage, answer)

    async def mark_read(self, notification_id: str) -> Notification:
        path = f"notifications/{_part(notification_id)}/read"
        return parse(Notification, await self._session.send("PUT", path))


def _has_more(pagination: Pagination | None) -> bool:
    return pagination is not None and pagination.page < pagination.pages


def _part(identifier: str) -> str:
    """An id from outside, made safe as one part of a path."""
    return quote(identifier, safe="")


def _idempotency(key: str | None) -> dict[str, str] | None:
    return None if key is None else {"Idempotency-Key": key}
