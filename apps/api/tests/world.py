"""The engine on real rows, with agents in memory."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from uuid import UUID, uuid4

from app.domain.execution import Execution
from app.domain.reports import ExecutionReport
from app.domain.results import AgentResult
from app.domain.teams import Team
from app.infra.db.database import PostgresDatabase
from app.infra.templates.jinja import JinjaTemplates
from app.usecases.agent_runs import Pace
from app.usecases.capacity import SunaCapacity
from app.usecases.engine import Engine
from app.usecases.limits import Limits
from app.usecases.ports import Database
from tests.builders import an_execution
from tests.fake_runtime import FakeRuntime

LIMITS = Limits(running=5, queued=100)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Heard:
    """A `LiveOutput` that remembers."""

    chunks: list[tuple[str, int, str]] = field(default_factory=list)

    def publish(
        self, user_id: UUID, *, execution_id: UUID, result: AgentResult, offset: int, text: str
    ) -> None:
        self.chunks.append((result.key, offset, text))


@dataclass
class World:
    db: PostgresDatabase
    runtime: FakeRuntime
    heard: Heard
    capacity: SunaCapacity | None = None

    def runtime_of(self, _user_id: UUID) -> FakeRuntime:
        return self.runtime

    @property
    def engine(self) -> Engine:
        return self.engine_on(self.db)

    def engine_on(self, db: Database) -> Engine:
        return Engine(
            db=db,
            runtime_of=self.runtime_of,
            templates=JinjaTemplates(),
            output=self.heard,
            limits=LIMITS,
            clock=now,
            new_id=uuid4,
            rng=Random(1),
            capacity=self.capacity,
            pace=Pace(look_again=(0, 0), away=(0, 0), busy=(0, 0), output=0, backoff=0),
        )

    async def begin(self, team: Team | None = None, **asked: object) -> Execution:
        execution = an_execution(team, now=now(), **asked)
        async with self.db.transaction() as tx:
            await tx.executions.add(execution)
        return execution

    async def run(self, team: Team | None = None, **asked: object) -> ExecutionReport:
        execution = await self.begin(team, **asked)
        await self.engine.drive(execution.id)
        return await self.report(execution)

    async def report(self, execution: Execution) -> ExecutionReport:
        async with self.db.autocommit() as tx:
            return await tx.reports.report(execution.id, user_id=execution.user_id)
