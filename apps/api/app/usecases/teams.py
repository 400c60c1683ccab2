"""Teams: a team is saved only when it could be run."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from app.common.paging import Page, Paged
from app.domain.agents import Agent, AgentNotFound
from app.domain.errors import Problem
from app.domain.events import TeamUpdated
from app.domain.teams import (
    AgentDetails,
    AgentDraft,
    Team,
    TeamAgent,
    TeamHasRunningExecutions,
    TeamStatus,
    TeamSummary,
    TeamVersion,
    UnknownAgent,
    VersionMismatch,
    WorkflowType,
    place_agents,
)
from app.domain.templates import Examine
from app.domain.workflow import compile_plan
from app.usecases.idempotency import Idempotent
from app.usecases.ports import AgentDirectory, Database, NewId, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamChanges:
    """What an update names; the rest stays."""

    name: str | None = None
    #: The description is cleared by None, so that it needs to say whether it is named at all.
    description: str | None = None
    describes: bool = False
    workflow_type: WorkflowType | None = None
    status: TeamStatus | None = None
    agents: Sequence[AgentDraft] | None = None


async def list_teams(
    db: Database, page: Page, *, user_id: UUID, search: str | None
) -> Paged[TeamSummary]:
    """The user's teams, newest first."""
    async with db.autocommit() as tx:
        return await tx.teams.page(page, user_id=user_id, search=search)


async def get_team(db: Database, team_id: UUID, *, user_id: UUID) -> Team:
    """Raises TeamNotFound."""
    async with db.autocommit() as tx:
        return await tx.teams.get(team_id, user_id=user_id)


async def create_team(
    db: Database,
    directory: AgentDirectory,
    examine: Examine,
    new_id: NewId,
    *,
    user_id: UUID,
    name: str,
    description: str | None,
    workflow_type: WorkflowType,
    agents: Sequence[AgentDraft],
    now: datetime,
    idempotent: Idempotent[Team],
) -> Team:
    """Raises Invalid, UnknownAgent, WorkflowHasCycle, SunaUnavailable, SunaRefused, and what
    *idempotent* raises."""
    await idempotent.look(db)  # Suna need not be there to say again what was said
    team = Team(
        id=new_id(),
        user_id=user_id,
        name=name,
        description=description,
        workflow_type=workflow_type,
        status=TeamStatus.ACTIVE,
        agents=await assemble(directory, new_id, agents),
        version=1,
        created_at=now,
        updated_at=now,
    )
    compile_plan(team.workflow_type, team.agents, examine)
    async with db.transaction() as tx:
        await idempotent.begin(tx)
        await _tell(tx, team, "created")
        await tx.teams.add(team)
        await idempotent.keep(tx, team)
    return team


async def update_team(
    db: Database,
    directory: AgentDirectory,
    examine: Examine,
    new_id: NewId,
    team_id: UUID,
    *,
    user_id: UUID,
    changes: TeamChanges,
    if_match: Collection[str] | None,
    now: datetime,
) -> Team:
    """
    Change what is named; running executions keep the plan they began with.

    *if_match* are the versions that may be changed; None means any. Raises TeamNotFound,
    VersionMismatch, and everything that `create_team` does.
    """
    await get_team(db, team_id, user_id=user_id)  # a stranger learns nothing about Suna's agents
    agents = None
    if changes.agents is not None:
        # Before the transaction: nothing is locked while Suna is asked.
        agents = await assemble(directory, new_id, changes.agents)
    async with db.transaction() as tx:
        await tx.events.lock(user_id)
        team = await tx.teams.get(team_id, user_id=user_id)
        _check_version(team, if_match)
        team = replace(
            team,
            name=changes.name or team.name,
            description=changes.description if changes.describes else team.description,
            workflow_type=changes.workflow_type or team.workflow_type,
            status=changes.status or team.status,
            agents=team.agents if agents is None else agents,
            version=team.version + 1,
            updated_at=now,
        )
        compile_plan(team.workflow_type, team.agents, examine)
        await _tell(tx, team, "updated")
        await tx.teams.save(team)
    return team


async def delete_team(
    db: Database, team_id: UUID, *, user_id: UUID, if_match: Collection[str] | None
) -> None:
    """Raises TeamNotFound, VersionMismatch, TeamHasRunningExecutions. Its executions stay
    readable."""
    async with db.transaction() as tx:
        await tx.events.lock(user_id)
        team = await tx.teams.get(team_id, user_id=user_id)
        _check_version(team, if_match)
        if unfinished := await tx.executions.unfinished_of_team(team_id):
            raise TeamHasRunningExecutions(unfinished)
        await _tell(tx, team, "deleted")
        await tx.teams.delete(team_id, user_id=user_id)


async def list_versions(
    db: Database, page: Page, team_id: UUID, *, user_id: UUID
) -> Paged[TeamVersion]:
    """What a team was like, newest first. Raises TeamNotFound."""
    async with db.autocommit() as tx:
        return await tx.teams.versions(page, team_id, user_id=user_id)


def _check_version(team: Team, if_match: Collection[str] | None) -> None:
    if if_match is not None and str(team.version) not in if_match:
        raise VersionMismatch(team)


async def _tell(tx: Transaction, team: Team, action: str) -> None:
    told = TeamUpdated(team_id=team.id, action=action, name=team.name, version=team.version)
    await tx.events.append(team.user_id, [told])


async def assemble(
    directory: AgentDirectory, new_id: NewId, drafts: Sequence[AgentDraft]
) -> tuple[TeamAgent, ...]:
    """The agents of a team, with what Suna says of them now. Raises Invalid, UnknownAgent,
    SunaUnavailable, SunaRefused."""
    places = place_agents(drafts)
    known: dict[UUID, Agent] = {}
    unknown: set[UUID] = set()
    for agent_id in dict.fromkeys(d.agent_id for d in drafts):
        try:
            known[agent_id] = await directory.get(agent_id)
        except AgentNotFound:
            unknown.add(agent_id)
    if unknown:
        raise UnknownAgent(
            f"Suna has no agent {', '.join(sorted(map(str, unknown)))}.",
            [
                Problem(
                    ("agents", i, "agent_id"), "unknown_agent", f"There is no agent {d.agent_id}."
                )
                for i, d in enumerate(drafts)
                if d.agent_id in unknown
            ],
        )
    return tuple(
        TeamAgent(
            id=new_id(),
            agent_id=draft.agent_id,
            key=key,
            role=draft.role,
            order=order,
            config=draft.config,
            agent_details=AgentDetails(
                name=known[draft.agent_id].name, description=known[draft.agent_id].description
            ),
        )
        for draft, (key, order) in zip(drafts, places, strict=True)
    )
