"""Teams: what they are, what they would do, and starting them."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from renum.models import (
    Execution,
    Plan,
    Team,
    TeamPage,
    TeamSummary,
    TeamVersion,
    TeamVersionPage,
)
from renum.resources.base import LARGEST_PAGE, Resource, guarded, keyed, pages, part


class Teams(Resource):
    """The user's teams."""

    async def list(self, *, page: int = 1, limit: int = 10, search: str | None = None) -> TeamPage:
        """One page of them, newest first."""
        params = {"page": page, "limit": limit, "search": search}
        return await self._ask(TeamPage, "GET", "teams", params=params)

    async def all(self, *, search: str | None = None) -> AsyncIterator[TeamSummary]:
        """Every team; one request per 100."""
        async for page in pages(
            lambda number: self.list(page=number, limit=LARGEST_PAGE, search=search)
        ):
            for team in page.teams:
                yield team

    async def create(self, team: Mapping[str, Any], *, idempotency_key: str | None = None) -> Team:
        """
        `team` is the specification's JSON: name, workflow_type, agents and so on.

        The same call with the same `idempotency_key` makes one team, within a day.
        """
        return await self._ask(
            Team, "POST", "teams", json=dict(team), headers=keyed(idempotency_key)
        )

    async def validate(self, team: Mapping[str, Any]) -> Plan:
        """What a team made of this would do; nothing is stored. Raises InvalidRequest."""
        return await self._ask(Plan, "POST", "teams/validate", json=dict(team))

    async def get(self, team_id: str) -> Team:
        """Raises NotFound where there is none of this user."""
        return await self._ask(Team, "GET", f"teams/{part(team_id)}")

    async def update(
        self, team_id: str, changes: Mapping[str, Any], *, version: int | None = None
    ) -> Team:
        """
        Change any subset of fields.

        With `version` (sent as If-Match) Conflict is raised, and nothing changed, when the team
        has another by now. Without it the last change wins.
        """
        return await self._ask(
            Team,
            "PUT",
            f"teams/{part(team_id)}",
            json=dict(changes),
            headers=guarded(version),
        )

    async def delete(self, team_id: str, *, version: int | None = None) -> None:
        """`version` as in `update`. Raises Conflict while one of its executions goes on."""
        await self._session.send("DELETE", f"teams/{part(team_id)}", headers=guarded(version))

    async def versions(self, team_id: str, *, page: int = 1, limit: int = 10) -> TeamVersionPage:
        """What the team was before each change, newest first."""
        params = {"page": page, "limit": limit}
        return await self._ask(
            TeamVersionPage, "GET", f"teams/{part(team_id)}/versions", params=params
        )

    async def all_versions(self, team_id: str) -> AsyncIterator[TeamVersion]:
        """Every version; one request per 100."""
        async for page in pages(
            lambda number: self.versions(team_id, page=number, limit=LARGEST_PAGE)
        ):
            for version in page.versions:
                yield version

    async def plan(
        self,
        team_id: str,
        prompt: str | None = None,
        *,
        context: Mapping[str, Any] | None = None,
        timeout_minutes: int | None = None,
        parallel_limit: int | None = None,
        retry_failed: bool | None = None,
    ) -> Plan:
        """What `execute` would do with these; nothing starts."""
        body = _execution(prompt, context, timeout_minutes, parallel_limit, retry_failed)
        return await self._ask(Plan, "POST", f"teams/{part(team_id)}/plan", json=body)

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

        The same call with the same `idempotency_key` starts one run, within a day.
        """
        return await self._ask(
            Execution,
            "POST",
            f"teams/{part(team_id)}/execute",
            json=_execution(prompt, context, timeout_minutes, parallel_limit, retry_failed),
            headers=keyed(idempotency_key),
        )


def _execution(
    prompt: str | None,
    context: Mapping[str, Any] | None,
    timeout_minutes: int | None,
    parallel_limit: int | None,
    retry_failed: bool | None,
) -> dict[str, Any]:
    config = {
        "timeout_minutes": timeout_minutes,
        "parallel_limit": parallel_limit,
        "retry_failed": retry_failed,
    }
    body: dict[str, Any] = {}
    if prompt is not None:
        body["input_data"] = {"prompt": prompt}
        if context is not None:
            body["input_data"]["context"] = dict(context)
    elif context is not None:
        raise ValueError("a context needs a prompt")
    if chosen := {key: value for key, value in config.items() if value is not None}:
        body["execution_config"] = chosen
    return body
