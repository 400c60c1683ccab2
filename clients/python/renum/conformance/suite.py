"""The whole examination: something happens, everybody watches, and notes are compared."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random

from renum.conformance import checks
from renum.conformance.checks import Check
from renum.conformance.probes import probe
from renum.conformance.recording import Recording
from renum.conformance.watchers import (
    Connect,
    NotOffered,
    Refused,
    over_http,
    over_websocket,
    record,
)
from renum.errors import RenumError
from renum.models import FINAL
from renum.resources import Agents, Executions, Teams
from renum.session import Session

_BETWEEN_CHANGES_S = 0.1
#: After the last change, for who is still away.
_CATCH_UP_S = 30.0
_RUN_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How long, and how hard."""

    seconds: float = 20.0
    #: Connections that each of the watchers that cut theirs loses.
    cuts: int = 20
    seed: int = 1
    #: Also run the team that is made, which costs what its agents cost.
    run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found."""

    checks: tuple[Check, ...]
    events: int
    connections: int

    @property
    def conforms(self) -> bool:
        return all(check.kept for check in self.checks)


@dataclass
class _Made:
    """A team of our own, and what was done to it."""

    team_id: str
    changes: list[tuple[str, int]] = field(default_factory=list)


@dataclass
class _Watcher:
    recording: Recording
    task: "asyncio.Task[None]"


async def check(session: Session, options: Options) -> Report:
    """
    Examine the stream of the user of a session.

    A team is made and changed for this, and deleted in the end. Raises ApiError, ConnectionFailed
    and the others of `renum.errors` when the server cannot be examined at all.
    """
    rng = Random(options.seed)  # noqa: S311  repeatable on purpose
    found = [result async for result in probe(session)]
    start = await _head(session)
    socket, http = over_websocket(session), over_http(session)
    async with _watching(
        [
            (Recording("the reference", start), socket, 0),
            (Recording("watcher A", start), socket, options.cuts),
            (Recording("watcher B", start), socket, options.cuts),
            (Recording("the HTTP watcher", start), http, options.cuts),
        ],
        rng,
    ) as watchers:
        made = await _happen(session, options)
        await _caught_up(watchers, made)
    offered = []
    for watcher in watchers:
        match watcher.task.exception() if not watcher.task.cancelled() else None:
            case None:
                offered.append(watcher.recording)
            case NotOffered():
                found.append(Check("the stream over HTTP", skipped="not offered"))
            case Refused() as refused:
                name = f"{watcher.recording.name} is let in"
                found.append(Check(name, (str(refused),)))
            case error:
                raise error
    if offered:
        found += checks.of_streams(offered)
        found += [checks.of_changes(offered[0], made.team_id, made.changes)]
    return Report(
        checks=tuple(found),
        events=sum(len(r.events) for r in offered),
        connections=sum(len(r.lives) for r in offered),
    )


async def _head(session: Session) -> int:
    """Where the user's log stands."""
    async with over_websocket(session)(2**62) as connection:
        async for message in connection.messages:
            if message["type"] == "connected":
                return int(message["data"]["last_event_id"])
    raise RenumError("the stream ended without a greeting")


@asynccontextmanager
async def _watching(
    wanted: list[tuple[Recording, Connect, int]], rng: Random
) -> AsyncIterator[list[_Watcher]]:
    watchers = [
        _Watcher(
            recording,
            asyncio.create_task(
                record(recording, connect, Random(rng.random()), cuts=cuts)  # noqa: S311
            ),
        )
        for recording, connect, cuts in wanted
    ]
    try:
        yield watchers
    finally:
        for watcher in watchers:
            watcher.task.cancel()
        await asyncio.wait([w.task for w in watchers], timeout=5)


async def _happen(session: Session, options: Options) -> _Made:
    """Make a team, change it again and again, and delete it, whatever comes in between."""
    teams = Teams(session)
    agents = await Agents(session).list(limit=1)
    if not agents.agents:
        raise RenumError("the server has no agent to make a team of")
    team = await teams.create(
        {
            "name": "Conformance check",
            "workflow_type": "sequential",
            "agents": [{"agent_id": agents.agents[0].id}],
        }
    )
    made = _Made(team.id, [("created", 1)])
    running: asyncio.Task[None] | None = None
    try:
        if options.run:
            running = asyncio.create_task(_execute(session, made.team_id))
        until = time.monotonic() + options.seconds
        while time.monotonic() < until:
            number = len(made.changes) + 1
            changed = await teams.update(made.team_id, {"description": f"Change {number}"})
            made.changes.append(("updated", changed.version or number))
            await asyncio.sleep(_BETWEEN_CHANGES_S)
        if running is not None:
            await running
    finally:
        if running is not None:
            running.cancel()
        await asyncio.shield(teams.delete(made.team_id))
    made.changes.append(("deleted", made.changes[-1][1]))
    return made


async def _execute(session: Session, team_id: str) -> None:
    executions = Executions(session)
    run = await Teams(session).execute(team_id, "Answer with one short sentence.")
    until = time.monotonic() + _RUN_S
    while (await executions.get(run.execution_id)).status not in FINAL:
        if time.monotonic() > until:
            await executions.cancel(run.execution_id)
        await asyncio.sleep(1)


async def _caught_up(watchers: list[_Watcher], made: _Made) -> None:
    """Until all have the last change, or have had time enough."""

    def has_all(watcher: _Watcher) -> bool:
        told = (e for e in watcher.recording.events if e["type"] == "team_updated")
        return any(
            e["data"].get("team_id") == made.team_id and e["data"].get("action") == "deleted"
            for e in told
        )

    with suppress(TimeoutError):
        async with asyncio.timeout(_CATCH_UP_S):
            while not all(has_all(w) or w.task.done() for w in watchers):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
