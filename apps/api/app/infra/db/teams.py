"""Teams and their agents: two tables, one thing."""

from typing import LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from app.common.paging import Page, Paged
from app.common.text import fold
from app.domain.teams import (
    Team,
    TeamAgent,
    TeamNotFound,
    TeamStatus,
    TeamSummary,
    TeamVersion,
    WorkflowType,
)
from app.infra.db.connection import Connection, Row

_agents = TypeAdapter(tuple[TeamAgent, ...])

_SUMMARY: LiteralString = """
    t.id, t.name, t.description, t.workflow_type, t.status, t.version, t.created_at, t.updated_at,
    (SELECT count(*) FROM renum.team_agents a WHERE a.team_id = t.id) AS agents_count
"""


class TeamStore:
    """The `Teams` port."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, team: Team) -> None:
        await self._connection.execute(
            """
            INSERT INTO renum.teams (id, user_id, name, description, workflow_type, status,
                                     version, search_text, created_at, updated_at)
            VALUES (%(id)s, %(user_id)s, %(name)s, %(description)s, %(workflow_type)s, %(status)s,
                    %(version)s, %(search_text)s, %(created_at)s, %(updated_at)s)
            """,
            _values(team),
        )
        await self._add_agents(team)
        await self._keep_version(team)

    async def get(self, team_id: UUID, *, user_id: UUID) -> Team:
        cursor = await self._connection.execute(
            """
            SELECT t.*, (SELECT jsonb_agg(a ORDER BY a.position) FROM renum.team_agents a
                          WHERE a.team_id = t.id) AS agents
              FROM renum.teams t WHERE t.id = %s AND t.user_id = %s
            """,
            (team_id, user_id),
        )
        row = await cursor.fetchone()
        if row is None:
            raise TeamNotFound(team_id)
        return _team(row)

    async def save(self, team: Team) -> None:
        await self._connection.execute(
            """
            UPDATE renum.teams
               SET name = %(name)s, description = %(description)s, status = %(status)s,
                   workflow_type = %(workflow_type)s, version = %(version)s,
                   search_text = %(search_text)s, updated_at = %(updated_at)s
             WHERE id = %(id)s AND user_id = %(user_id)s
            """,
            _values(team),
        )
        await self._connection.execute(
            "DELETE FROM renum.team_agents WHERE team_id = %s", (team.id,)
        )
        await self._add_agents(team)
        await self._keep_version(team)

    async def delete(self, team_id: UUID, *, user_id: UUID) -> None:
        await self._connection.execute(
            "DELETE FROM renum.teams WHERE id = %s AND user_id = %s", (team_id, user_id)
        )

    async def page(self, page: Page, *, user_id: UUID, search: str | None) -> Paged[TeamSummary]:
        where: LiteralString = "t.user_id = %(user_id)s"
        if search:
            # strpos, not LIKE: what is searched for is a text, not a pattern.
            where += " AND strpos(t.search_text, %(search)s) > 0"
        values = {
            "user_id": user_id,
            "search": fold(search or ""),
            "limit": page.limit,
            "offset": page.offset,
        }
        async with self._connection.pipeline():
            rows = await self._connection.execute(
                f"""
                SELECT {_SUMMARY} FROM renum.teams t WHERE {where}
                 ORDER BY t.id DESC LIMIT %(limit)s OFFSET %(offset)s
                """,
                values,
            )
            count = await self._connection.execute(
                f"SELECT count(*) AS n FROM renum.teams t WHERE {where}", values
            )
            items = tuple(_summary(row) for row in await rows.fetchall())
            total = await count.fetchone()
        return Paged(items, total["n"] if total else 0)

    async def versions(self, page: Page, team_id: UUID, *, user_id: UUID) -> Paged[TeamVersion]:
        async with self._connection.pipeline():
            team = await self._connection.execute(
                "SELECT version FROM renum.teams WHERE id = %s AND user_id = %s", (team_id, user_id)
            )
            rows = await self._connection.execute(
                """
                SELECT v.* FROM renum.team_versions v WHERE team_id = %s
                 ORDER BY version DESC LIMIT %s OFFSET %s
                """,
                (team_id, page.limit, page.offset),
            )
            count = await self._connection.execute(
                "SELECT count(*) AS n FROM renum.team_versions WHERE team_id = %s", (team_id,)
            )
            if await team.fetchone() is None:
                raise TeamNotFound(team_id)
            items = tuple(_version(row) for row in await rows.fetchall())
            total = await count.fetchone()
        return Paged(items, total["n"] if total else 0)

    async def _keep_version(self, team: Team) -> None:
        await self._connection.execute(
            """
            INSERT INTO renum.team_versions
            SELECT t.id, t.version, t.name, t.description, t.workflow_type, t.status,
                   (SELECT jsonb_agg(a ORDER BY a.position) FROM renum.team_agents a
                     WHERE a.team_id = t.id),
                   t.updated_at
              FROM renum.teams t WHERE t.id = %s
            """,
            (team.id,),
        )

    async def _add_agents(self, team: Team) -> None:
        async with self._connection.cursor() as cursor:
            await cursor.executemany(
                """
                INSERT INTO renum.team_agents (id, team_id, position, key, agent_id, role, "order",
                                               config, agent_details)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
                """,
                [
                    (
                        a.id,
                        team.id,
                        position,
                        a.key,
                        a.agent_id,
                        a.role,
                        a.order,
                        Jsonb(a.config),
                        Jsonb(a.agent_details),
                    )
                    for position, a in enumerate(team.agents)
                ],
            )


def _values(team: Team) -> Row:
    return {
        "id": team.id,
        "user_id": team.user_id,
        "name": team.name,
        "description": team.description,
        "workflow_type": team.workflow_type,
        "status": team.status,
        "version": team.version,
        "search_text": fold(f"{team.name}\n{team.description or ''}"),
        "created_at": team.created_at,
        "updated_at": team.updated_at,
    }


def _summary(row: Row) -> TeamSummary:
    return TeamSummary(
        **{
            **row,
            "workflow_type": WorkflowType(row["workflow_type"]),
            "status": TeamStatus(row["status"]),
        }
    )


def _team(row: Row) -> Team:
    return Team(
        id=row["id"],
        user_id=row["user_id"],
        name=row["name"],
        description=row["description"],
        workflow_type=WorkflowType(row["workflow_type"]),
        status=TeamStatus(row["status"]),
        agents=_agents.validate_python(row["agents"]),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _version(row: Row) -> TeamVersion:
    return TeamVersion(
        version=row["version"],
        name=row["name"],
        description=row["description"],
        workflow_type=WorkflowType(row["workflow_type"]),
        status=TeamStatus(row["status"]),
        agents=_agents.validate_python(row["agents"]),
        created_at=row["created_at"],
    )
