"""
The event log over plain HTTP: followed as server-sent events, or read page by page as JSON.

Who accepts `application/json`, and no `text/event-stream`, gets a page. The stream of a user
starts from now, that of an execution with its first event.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response

from app.api.deps import Call
from app.api.errors import problem
from app.api.live.sse import EventStream, told
from app.domain.execution_errors import ExecutionNotFound
from app.domain.watching import Interest, ResyncRequired, StreamClosing, TooManyWatchers
from app.schemas.events import EventsAnswer
from app.schemas.live import MAX_EVENT_ID, EventType
from app.usecases import watching

router = APIRouter(tags=["Events"])

_PROBLEMS = problem(ResyncRequired, TooManyWatchers, StreamClosing)
_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The stream; or a page of the log, for who accepts JSON only.",
        "content": {"application/json": {"schema": EventsAnswer.model_json_schema()}},
    }
}
_ENDED: dict[int | str, dict[str, Any]] = {
    204: {"description": "The execution has ended, and you know all of it: do not come back."}
}


async def _after(
    after: Annotated[
        int | None, Query(ge=0, le=MAX_EVENT_ID, description="The last event that you know.")
    ] = None,
    last_event_id: Annotated[
        int | None,
        Header(ge=0, le=MAX_EVENT_ID, description="The same, as browsers say it; it wins."),
    ] = None,
) -> int | None:
    return after if last_event_id is None else last_event_id


async def _exits() -> AsyncIterator[AsyncExitStack]:
    """What is to be left when the answer is sent, or its reader is gone."""
    async with AsyncExitStack() as stack:
        yield stack


async def _wants_page(accept: Annotated[str, Header(include_in_schema=False)] = "") -> bool:
    accept = accept.lower()
    return "application/json" in accept and "text/event-stream" not in accept


After = Annotated[int | None, Depends(_after)]
Exits = Annotated[AsyncExitStack, Depends(_exits)]
WantsPage = Annotated[bool, Depends(_wants_page)]
Limit = Annotated[int, Query(ge=1, le=1000, description="Events on a page of JSON.")]


@router.get("/events", response_class=EventStream, responses=_ANSWER | _PROBLEMS)
async def follow_events(
    call: Call,
    after: After,
    exits: Exits,
    *,
    wants_page: WantsPage,
    types: Annotated[list[EventType] | None, Query(description="Repeatable; all without.")] = None,
    limit: Limit = 100,
) -> Response:
    """Follow everything that happens to the caller's teams, executions and notifications."""
    interest = Interest(types=None if types is None else frozenset(types))
    user_id = call.user.id
    if wants_page:
        page = await watching.event_page(
            call.services.db, user_id=user_id, after=after, limit=limit, interest=interest
        )
        return _page(page)
    subscription = await exits.enter_async_context(
        call.services.live.subscribe(user_id, after=after, interest=interest)
    )
    return EventStream(told(subscription, call.identity, call.services.tokens, call.services.clock))


@router.get(
    "/executions/{execution_id}/events",
    response_class=EventStream,
    responses=_ANSWER | _ENDED | problem(ExecutionNotFound) | _PROBLEMS,
)
async def follow_execution_events(
    execution_id: UUID,
    call: Call,
    after: After,
    exits: Exits,
    *,
    wants_page: WantsPage,
    limit: Limit = 100,
) -> Response:
    """Follow one execution from its first event to its last; then comes `stream_end`."""
    user_id = call.user.id
    if wants_page:
        page = await watching.execution_event_page(
            call.services.db, execution_id, user_id=user_id, after=after, limit=limit
        )
        return _page(page)
    span = await watching.event_span(call.services.db, execution_id, user_id=user_id)
    if after is None:
        after = watching.start_of(span)
    elif span.last_id is not None and after >= span.last_id:
        return Response(status_code=204)
    interest = Interest(execution_ids=frozenset({execution_id}))
    subscription = await exits.enter_async_context(
        call.services.live.subscribe(user_id, after=after, interest=interest)
    )
    return EventStream(
        told(
            subscription,
            call.identity,
            call.services.tokens,
            call.services.clock,
            execution_id=execution_id,
        )
    )


def _page(page: watching.EventPage) -> Response:
    # The messages are JSON already.
    events = b",".join(e.text for e in page.events)
    rest = (
        f'"next_after":{page.next_after},"has_more":{str(page.has_more).lower()},'
        f'"last_event_id":{page.last_event_id},"oldest_event_id":{page.oldest_event_id}'
    )
    return Response(b'{"events":[%b],%b}' % (events, rest.encode()), media_type="application/json")
