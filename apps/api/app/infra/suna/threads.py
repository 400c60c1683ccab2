"""Suna's own API: a run works in a thread, and its answer is what it wrote there (suna.md)."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from app.domain.agents import Answer, RunLost, RunRef, RunState, RunStatus, SunaUnavailable
from app.infra.suna.answers import assemble, text_of
from app.infra.suna.http import SunaHttp
from app.infra.suna.starting import id_in, send_start
from app.infra.suna.stream import TextStream, error_of, frames, is_end

_log = structlog.get_logger(__name__)

#: Suna's clock and ours need not agree.
_CLOCK_SKEW = timedelta(seconds=5)
#: More than anybody starts while one answer is lost.
_PAGE, _MAX_PAGES = 100, 20
#: What some Suna may say of a run that has not begun yet.
_WAITING = ("pending", "queued", "starting")


class _Threads:
    """What is the same in all eras: everything but the start."""

    idempotent = False

    async def state(self, http: SunaHttp, run: RunRef) -> RunState:
        body = await http.get(f"agent-run/{run.run_id}")
        said = body.get("status") if isinstance(body, Mapping) else None
        if not isinstance(said, str):
            raise SunaUnavailable("Suna's answer about a run is not readable.")
        if said in _WAITING:
            return RunState(RunStatus.RUNNING)
        # `error`, `cancelled`, or something new.
        status = RunStatus(said) if said in set(RunStatus) else RunStatus.FAILED
        error = body.get("error")
        return RunState(status, error if isinstance(error, str) else None)

    async def text(self, http: SunaHttp, run: RunRef) -> AsyncGenerator[str]:
        text = TextStream()
        async with http.stream(f"agent-run/{run.run_id}/stream") as body:
            async for frame in frames(body):
                if error := error_of(frame):
                    # The only place where era A tells why a run is `completed` without a text.
                    _log.warning("suna's run met an error", run_id=run.run_id, error=error)
                if new := text.add(frame):
                    yield new
                if is_end(frame):
                    return

    async def answer(self, http: SunaHttp, run: RunRef) -> Answer:
        # `optimized` is of the later dialect; the earlier one passes over it.
        body = await http.get(f"threads/{run.thread_id}/messages", order="asc", optimized="false")
        messages = body.get("messages") if isinstance(body, dict) else None
        return assemble(messages if isinstance(messages, list) else [])

    async def stop(self, http: SunaHttp, run: RunRef) -> None:
        await http.post(f"agent-run/{run.run_id}/stop")


class Initiate(_Threads):
    """July to October 2025. Suna chooses the ids, so a lost run is found by what it was asked."""

    name = "initiate"

    async def start(self, http: SunaHttp, agent_id: UUID, prompt: str, key: UUID) -> RunRef:
        form = {"agent_id": str(agent_id), "prompt": prompt}
        return await send_start(http, "agent/initiate", agent_id, key, data=form, read=_started)

    async def find(
        self, http: SunaHttp, agent_id: UUID, prompt: str, *, key: UUID, since: datetime
    ) -> list[RunRef]:
        return await _runs_asked(http, agent_id, prompt, since)


@dataclass(frozen=True, slots=True)
class Start(_Threads):
    """Unified start, October 2025 to spring 2026."""

    #: Whether we may choose the thread's id; it is the key by which a lost run is found again.
    optimistic: bool
    name = "start"

    async def start(self, http: SunaHttp, agent_id: UUID, prompt: str, key: UUID) -> RunRef:
        form = {"agent_id": str(agent_id), "prompt": prompt}
        if self.optimistic:
            form |= {"thread_id": str(key), "project_id": str(key), "optimistic": "true"}
        return await send_start(http, "agent/start", agent_id, key, data=form, read=_started)

    async def find(
        self, http: SunaHttp, agent_id: UUID, prompt: str, *, key: UUID, since: datetime
    ) -> list[RunRef]:
        if self.optimistic:
            return await _runs_of_thread(http, str(key), agent_id)
        return await _runs_asked(http, agent_id, prompt, since)


def _started(body: Mapping[str, Any]) -> RunRef:
    return RunRef(id_in(body["thread_id"]), id_in(body["agent_run_id"]))


async def _runs_asked(http: SunaHttp, agent_id: UUID, prompt: str, since: datetime) -> list[RunRef]:
    """
    Runs that were asked this since then, oldest first.

    Two starts of one agent with one prompt at one moment cannot be told apart: but then either
    of the two answers serves.
    """
    # Their names say nothing: Suna has a model rename them at once (suna.md §1.8 is older).
    same = text_of({"content": prompt})  # a prompt may look like a message
    found = []
    for thread in reversed(await _young_threads(http, since - _CLOCK_SKEW)):
        thread_id = _readable_id(thread.get("thread_id"))
        written = await http.get(f"threads/{thread_id}/messages", order="asc")
        asked = [text_of(m) for m in _listed(written, "messages") if m.get("type") == "user"]
        if asked and asked[0] in (prompt, same):
            found += await _runs_of_thread(http, thread_id, agent_id)
    return found


async def _young_threads(http: SunaHttp, since: datetime) -> list[Mapping[str, Any]]:
    """Newest first, as Suna lists them."""
    young: list[Mapping[str, Any]] = []
    for page in range(1, _MAX_PAGES + 1):
        threads = _listed(await http.get("threads", page=page, limit=_PAGE), "threads")
        found = [t for t in threads if _time(t.get("created_at")) >= since]
        young += found
        if len(found) < _PAGE:
            break
    return young


async def _runs_of_thread(http: SunaHttp, thread_id: str, agent_id: UUID) -> list[RunRef]:
    """Oldest first; none of a thread that does not exist. Raises SunaUnavailable while a run that
    was started is still to appear."""
    try:
        body = await http.get(f"thread/{thread_id}/agent-runs")
    except RunLost:
        return []
    if isinstance(body, Mapping) and body.get("_pending") and not body.get("agent_runs"):
        raise SunaUnavailable("The run was started, and is not visible yet.")
    # Not every era says which agent runs.
    return [
        RunRef(thread_id, _readable_id(r.get("id")))
        for r in reversed(_listed(body, "agent_runs"))
        if r.get("agent_id") in (None, str(agent_id))
    ]


def _readable_id(value: object) -> str:
    """Raises SunaUnavailable: a run without a name is no sign that there is none."""
    try:
        return id_in(value)
    except TypeError as error:
        raise SunaUnavailable("Suna's list of runs is not readable.") from error


def _listed(body: object, name: str) -> list[Mapping[str, Any]]:
    items = body.get(name) if isinstance(body, Mapping) else None
    return [i for i in items if isinstance(i, Mapping)] if isinstance(items, list) else []


def _time(value: object) -> datetime:
    """Long ago when it is none: such a thread is not the one that was begun just now."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
