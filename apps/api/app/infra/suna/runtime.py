"""Runs agents on Suna: one call is one attempt."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import aiohttp
import structlog

from app.domain.agents import (
    AgentNotFound,
    Answer,
    RunLost,
    RunRef,
    RunState,
    RunStatus,
    StartUnknown,
    SunaBusy,
    SunaRefused,
    SunaUnavailable,
)
from app.infra.suna.answers import assemble
from app.infra.suna.dialects import Dialect, detect
from app.infra.suna.http import SunaHttp, asked_wait_s, away, refusal
from app.infra.suna.stream import TextStream, frames, is_end

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the adapter waits, in seconds."""

    #: Between looks at a run that no stream tells of; the last one repeats.
    poll: tuple[float, ...] = (0.2, 1.0, 2.0, 5.0)
    #: A run is unknown to Suna for some seconds after its start was answered.
    first_seconds: float = 10.0
    #: The last message may be visible a moment after the run is completed.
    look_again: float = 1.0


class SunaAgentRuntime:
    """The `AgentRuntime` port."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        http: SunaHttp,
        *,
        dialect: Dialect | None,
        pace: Pace | None = None,
    ) -> None:
        """Without a dialect the server is asked which one it speaks, once."""
        self._session = session
        self._http = http
        self._dialect = dialect
        self._pace = pace or Pace()

    async def start(self, agent_id: UUID, prompt: str, *, key: UUID) -> RunRef:
        dialect = await self._speak()
        form = dialect.form(agent_id, prompt, key)
        try:
            async with self._http.start(dialect.path, form, f"renum-{key}") as response:
                if response.status < 300:
                    body = await response.json(content_type=None)
                    return RunRef(str(body["thread_id"]), str(body["agent_run_id"]))
                raise await _refused_start(response, agent_id)
        except aiohttp.ClientConnectorError as error:
            raise away(error) from error  # no connection, so nothing was sent
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
            _log.warning("a start's answer was lost", error=type(error).__name__, key=str(key))
            raise StartUnknown("Suna's answer to the start was lost.") from error

    async def find(
        self, agent_id: UUID, prompt: str, *, key: UUID, since: datetime
    ) -> RunRef | None:
        dialect = await self._speak()
        return await dialect.find(self._http, prompt, key=key, since=since)

    async def follow(self, run: RunRef, on_text: Callable[[str], Awaitable[None]]) -> RunState:
        patience = time.monotonic() + self._pace.first_seconds
        while True:
            try:
                await self._stream(run, on_text)
            except RunLost:
                if time.monotonic() >= patience:
                    raise
                await asyncio.sleep(self._pace.poll[0])
                continue
            except SunaUnavailable as error:
                _log.info("following by polling", run_id=run.run_id, reason=str(error))
            break
        polls = iter(self._pace.poll)
        pause = 0.0
        while (state := await self.status(run)).status is RunStatus.RUNNING:
            pause = next(polls, pause)
            await asyncio.sleep(pause)
        return state

    async def status(self, run: RunRef) -> RunState:
        body = await self._http.get(f"agent-run/{run.run_id}")
        try:
            status = RunStatus(body["status"])
        except (ValueError, KeyError, TypeError):
            status = RunStatus.FAILED  # `error`, `cancelled`, or something new
        error = body.get("error") if isinstance(body, dict) else None
        return RunState(status, error if isinstance(error, str) else None)

    async def answer(self, run: RunRef) -> Answer:
        answer = await self._read_answer(run)
        if not answer.text and not answer.needs_input:
            await asyncio.sleep(self._pace.look_again)
            answer = await self._read_answer(run)
        return answer

    async def stop(self, run: RunRef) -> None:
        # A late stop would overwrite the status of a finished run.
        if (await self.status(run)).status is not RunStatus.RUNNING:
            return
        await self._http.post(f"agent-run/{run.run_id}/stop")
        if (await self.status(run)).status is RunStatus.RUNNING:
            raise SunaUnavailable("Suna accepted the stop, but the run still runs.")

    async def health(self) -> None:
        try:
            await self._http.get_once("health")
        except (RunLost, SunaRefused) as error:
            raise SunaUnavailable(f"Suna's health check failed: {error}") from error

    async def _speak(self) -> Dialect:
        if self._dialect is None:
            self._dialect = await detect(self._session, self._http.base_url)
        return self._dialect

    async def _stream(self, run: RunRef, on_text: Callable[[str], Awaitable[None]]) -> None:
        text = TextStream()
        async with self._http.stream(f"agent-run/{run.run_id}/stream") as body:
            async for frame in frames(body):
                if new := text.add(frame):
                    await on_text(new)
                if is_end(frame):
                    return

    async def _read_answer(self, run: RunRef) -> Answer:
        # `optimized` is of the later dialect; the earlier one passes over it.
        body = await self._http.get(
            f"threads/{run.thread_id}/messages", order="asc", optimized="false"
        )
        messages = body.get("messages") if isinstance(body, dict) else None
        return assemble(messages if isinstance(messages, list) else [])


async def _refused_start(response: aiohttp.ClientResponse, agent_id: UUID) -> Exception:
    """Suna answered a start with an error (suna.md §1.4, Refusals when starting)."""
    status = response.status
    if status == 429 or (status == 402 and await _is_limit(response)):
        return SunaBusy("Suna runs as many agents as it may.", wait_s=asked_wait_s(response))
    if status == 404:
        return AgentNotFound(agent_id)
    if status >= 500:
        # Suna answers 500 also when the run was made and something after it failed.
        return StartUnknown(f"Suna answered the start with {status}.")
    return refusal(response, "start")


async def _is_limit(response: aiohttp.ClientResponse) -> bool:
    try:
        body = await response.json(content_type=None)
    except ValueError:
        return False
    detail = body.get("detail") if isinstance(body, dict) else None
    return isinstance(detail, dict) and detail.get("error_code") == "AGENT_RUN_LIMIT_EXCEEDED"
