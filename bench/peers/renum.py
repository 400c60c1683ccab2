"""
Renum's use cases and engine on everything that a process of it opens, with agents of one call.

An execution is accepted as over HTTP (its rows, events, log lines and job are committed), and then
driven to its end: every step, its output, events, log lines and in the end a notification, with
the doorbell rung and heard. Not through the queue: see `renum_queued.py`.
"""

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from tempfile import mkdtemp
from uuid import UUID, uuid4

import app.server  # noqa: F401  all of a process: its memory is measured
from app.bootstrap import bootstrap
from app.core.settings import Settings
from app.core.telemetry import Telemetry
from app.domain.agents import Answer, RunRef, RunState, RunStatus
from app.domain.execution import ExecutionConfig
from app.domain.idempotency import StoredAnswer
from app.domain.teams import (
    AgentConfig,
    AgentDetails,
    Role,
    Team,
    TeamAgent,
    TeamStatus,
    WorkflowType,
)
from app.usecases.engine import Engine
from app.usecases.executions import execute_team
from app.usecases.idempotency import Idempotent
from app.usecases.services import Services
from bench.peers.harness import AT_ONCE, IN_A_ROW, Agents, Asked, Candidate, main

# Not from `bench.stack`, which imports 4 MB that no process of Renum has.
_RENUM_API = str(Path(sys.executable).with_name("renum-api"))
#: Runs are begun in the name of each in turn, as by people who do not wait for each other.
_USERS = 50
_CONFIG = ExecutionConfig(parallel_limit=AT_ONCE)


class OneCall:
    """The `AgentRuntime` port: starting an agent is waiting for its answer."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents
        self._answers: dict[str, str] = {}

    async def start(self, agent_id: UUID, prompt: str, *, key: UUID) -> RunRef:
        # An agent's id says how long it takes: see `_team_of`.
        ms = float(agent_id.node)
        run = RunRef(str(key), str(key))
        self._answers[run.run_id] = await self._agents.run(ms, agent_id.clock_seq, prompt)
        return run

    async def may_repeat_start(self) -> bool:
        return False

    async def find(
        self, agent_id: UUID, prompt: str, *, key: UUID, since: datetime
    ) -> list[RunRef]:
        return []

    async def follow(self, run: RunRef, on_text: Callable[[str], Awaitable[None]]) -> RunState:
        return RunState(RunStatus.COMPLETED, None)

    async def status(self, run: RunRef) -> RunState:
        return RunState(RunStatus.COMPLETED, None)

    async def answer(self, run: RunRef) -> Answer:
        return Answer(self._answers.pop(run.run_id), needs_input=False)

    async def stop(self, run: RunRef) -> None:
        raise NotImplementedError("nothing is cancelled here")


class Renum:
    """Runs teams made beforehand, one of each kind, length and user."""

    def __init__(self, services: Services, runtime: OneCall) -> None:
        self._services = services
        self.engine = Engine(
            db=services.db,
            runtime_of=lambda _user: runtime,
            templates=services.templates,
            output=services.output,
            limits=services.limits,
            clock=services.clock,
            new_id=services.new_id,
            rng=random.Random(1),
        )
        self._users = cycle([uuid4() for _ in range(_USERS)])
        self._teams: dict[tuple[UUID, WorkflowType, float], UUID] = {}

    async def sequential(self, ms: float) -> None:
        await self._run(WorkflowType.SEQUENTIAL, IN_A_ROW, ms)

    async def parallel(self, ms: float) -> None:
        await self._run(WorkflowType.PARALLEL, AT_ONCE, ms)

    async def until_done(self, execution_id: UUID) -> None:
        await self.engine.drive(execution_id)

    async def _run(self, workflow: WorkflowType, agents: int, ms: float) -> None:
        services, user = self._services, next(self._users)
        report = await execute_team(
            services.db,
            services.templates.examine,
            services.new_id,
            services.limits,
            await self._team(user, workflow, agents, ms),
            user_id=user,
            prompt="Go",
            context={},
            config=_CONFIG,
            now=services.clock(),
            idempotent=Idempotent(None, _never, user, services.clock()),
        )
        await self.until_done(report.id)

    async def _team(self, user: UUID, workflow: WorkflowType, agents: int, ms: float) -> UUID:
        known = self._teams.get((user, workflow, ms))
        if known is None:
            team = _team_of(user, workflow, agents, ms)
            async with self._services.db.transaction() as tx:
                await tx.teams.add(team)
            known = self._teams[user, workflow, ms] = team.id
        return known


def _team_of(user: UUID, workflow: WorkflowType, agents: int, ms: float) -> Team:
    now = datetime.now(UTC)
    return Team(
        id=uuid4(),
        user_id=user,
        name="Measured",
        description=None,
        workflow_type=workflow,
        status=TeamStatus.ACTIVE,
        agents=tuple(
            TeamAgent(
                id=uuid4(),
                agent_id=UUID(fields=(0, 0, 0, 0, number, int(ms))),
                key=f"agent_{number + 1}",
                role=Role.MEMBER,
                order=number + 1,
                config=AgentConfig(),
                agent_details=AgentDetails(name=f"Agent {number + 1}", description="Measured"),
            )
            for number in range(agents)
        ),
        version=1,
        created_at=now,
        updated_at=now,
    )


def _never(_: object) -> StoredAnswer:
    raise AssertionError("nothing is asked with a key")


@asynccontextmanager
async def opened(asked: Asked) -> AsyncIterator[tuple[Settings, Services, OneCall]]:
    """A database with our schema, and everything that a process opens."""
    settings = settings_of(asked)
    # In a process of its own: what migrates takes memory that a server does not.
    env = {**os.environ, "DATABASE_URL": asked.database_url}
    await asyncio.to_thread(subprocess.run, [_RENUM_API, "migrate"], env=env, check=True)
    async with (
        Agents(asked.agents_url) as agents,
        bootstrap(settings, Telemetry.of(settings)) as services,
    ):
        yield settings, services, OneCall(agents)


def settings_of(asked: Asked) -> Settings:
    given: Mapping[str, str] = {
        "DATABASE_URL": asked.database_url,
        "SUNA_API_URL": asked.agents_url,
        "SUNA_API_KEY": "unused",
        "SUPABASE_URL": asked.agents_url,
        "SUPABASE_ANON_KEY": "unused",
        "JWT_SECRET_KEY": "a shared secret of at least 32 bytes",
        "SUNA_MAX_PARALLEL_RUNS": "0",
        "MAX_CONCURRENT_EXECUTIONS": "1000",
        "LOG_LEVEL": "ERROR",
        "DATA_DIR": mkdtemp(),
    }
    return Settings(_env_file=None, **{k.lower(): v for k, v in given.items()})


@asynccontextmanager
async def open_renum(asked: Asked) -> AsyncIterator[Candidate]:
    async with opened(asked) as (_, services, runtime):
        yield Renum(services, runtime)


if __name__ == "__main__":
    main(open_renum)
