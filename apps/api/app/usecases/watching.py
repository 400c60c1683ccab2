"""What a watcher reads beside the stream itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.domain.reports import EventSpan, ExecutionReport
from app.domain.watching import EVERYTHING, Interest, ResyncRequired, StoredEvent
from app.usecases.ports import Database, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """A piece of the log, oldest first."""

    events: Sequence[StoredEvent]
    #: Where what follows begins.
    next_after: int
    has_more: bool
    last_event_id: int
    oldest_event_id: int


async def snapshots(
    db: Database, execution_ids: Sequence[UUID], *, user_id: UUID
) -> tuple[int, list[ExecutionReport]]:
    """
    Executions as they were at one moment, and the id of the last event before it.

    Raises ExecutionNotFound.
    """
    async with db.snapshot() as tx:
        last_event_id, _ = await tx.events.bounds(user_id)
        reports = [await tx.reports.report(i, user_id=user_id) for i in execution_ids]
    return last_event_id, reports


async def event_page(
    db: Database, *, user_id: UUID, after: int | None, limit: int, interest: Interest = EVERYTHING
) -> EventPage:
    """
    The user's log after an id, or from its oldest event on. Raises ResyncRequired.
    """
    async with db.snapshot() as tx:
        return await _page(tx, user_id, after, None, limit, interest)


async def execution_event_page(
    db: Database, execution_id: UUID, *, user_id: UUID, after: int | None, limit: int
) -> EventPage:
    """
    What happened in one execution after an id, or from its first event on.

    Raises ExecutionNotFound, ResyncRequired.
    """
    interest = Interest(execution_ids=frozenset({execution_id}))
    async with db.snapshot() as tx:
        span = await tx.reports.event_span(execution_id, user_id=user_id)
        after = start_of(span) if after is None else after
        return await _page(tx, user_id, after, span.last_id, limit, interest)


async def event_span(db: Database, execution_id: UUID, *, user_id: UUID) -> EventSpan:
    """Raises ExecutionNotFound."""
    async with db.autocommit() as tx:
        return await tx.reports.event_span(execution_id, user_id=user_id)


def start_of(span: EventSpan) -> int:
    """The id after which an execution's events follow; one before the log when it is too old."""
    return -1 if span.first_id is None else span.first_id - 1


async def _page(
    tx: Transaction,
    user_id: UUID,
    after: int | None,
    up_to: int | None,
    limit: int,
    interest: Interest,
) -> EventPage:
    last, oldest = await tx.events.bounds(user_id)
    if after is None:
        after = oldest - 1
    elif not oldest - 1 <= after <= last:
        raise ResyncRequired(oldest)
    found = await tx.events.after(user_id, after, limit=limit + 1, interest=interest, up_to=up_to)
    events, has_more = found[:limit], len(found) > limit
    return EventPage(
        events=events,
        next_after=events[-1].id if has_more else max(after, up_to or last),
        has_more=has_more,
        last_event_id=last,
        oldest_event_id=oldest,
    )
