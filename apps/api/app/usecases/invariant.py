"""
The invariant: no execution that has not ended is without a job, a due time or a named wait
(architecture §4.8). What breaks it is repaired, counted, and logged as an error.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.progress import ExecutionStatus
from app.domain.reports import Stuck, StuckKind
from app.usecases.executions import promote_waiting
from app.usecases.limits import Limits
from app.usecases.ports import Backlog, Database

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineState:
    """How the engine is, over all workers: executions stuck right now, and repairs since ever."""

    workers: int
    backlogs: Sequence[Backlog]
    unfinished: Mapping[ExecutionStatus, int]
    stuck: Counter[StuckKind]
    repairs: int


async def engine_state(db: Database, limits: Limits) -> EngineState:
    """Raises DatabaseUnavailable."""
    async with db.autocommit() as tx:
        stuck = await tx.jobs.stuck(running_limit=limits.running)
        repairs = await tx.jobs.repairs()
        backlogs = await tx.jobs.backlogs()
        unfinished = await tx.reports.unfinished()
    depth = await db.queue_depth()
    kinds = Counter(s.kind for s in stuck)
    return EngineState(depth.workers, backlogs, unfinished, kinds, repairs)


async def repair_stuck(db: Database, limits: Limits, *, now: datetime) -> int:
    """Set in motion whatever stands still. Returns how many executions that were."""
    async with db.autocommit() as tx:
        found = await tx.jobs.stuck(running_limit=limits.running)
    repaired = 0
    for stuck in found:
        if await _repair(db, limits, stuck, now=now):
            repaired += 1
            logger.error(
                "execution %s was stuck (%s) and is repaired", stuck.execution_id, stuck.kind
            )
    return repaired


async def _repair(db: Database, limits: Limits, stuck: Stuck, *, now: datetime) -> bool:
    async with db.transaction() as tx:
        # Serialised with every change of the user: what was seen may have moved since.
        await tx.events.lock(stuck.user_id)
        still = await tx.jobs.stuck(running_limit=limits.running, user_id=stuck.user_id)
        if stuck not in still:
            return False
        match stuck.kind:
            case StuckKind.NO_JOB:
                await tx.jobs.drive(stuck.execution_id)
            case StuckKind.NOT_PROMOTED:
                await promote_waiting(tx, stuck.user_id, limits, now=now)
            case StuckKind.NO_STOP_JOB:
                await tx.jobs.stop_runs(stuck.execution_id)
        await tx.jobs.count_repair(stuck.execution_id)
    return True
