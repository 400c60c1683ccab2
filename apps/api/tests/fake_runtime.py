"""Suna in memory: agents answer as they are told to, and every start is remembered."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from app.domain.agents import Answer, RunRef, RunState, RunStatus

Behaviour = Callable[[UUID, str], Awaitable[Answer | RunState]]


async def echo(agent_id: UUID, prompt: str) -> Answer:
    """Every agent answers with the end of its prompt."""
    return Answer(f"answer to: {prompt[-60:]}")


@dataclass
class FakeRuntime:
    """An `AgentRuntime`. `behaviour` may raise what the port allows."""

    behaviour: Behaviour = echo
    starts: list[tuple[UUID, str]] = field(default_factory=list)
    stopped: list[RunRef] = field(default_factory=list)
    runs: dict[str, asyncio.Task[Answer | RunState]] = field(default_factory=dict)
    keys: dict[UUID, RunRef] = field(default_factory=dict)
    start_errors: list[Exception] = field(default_factory=list)
    #: `find` goes by what was asked, as Suna's first era has to.
    cannot_tell_apart: bool = False
    #: A start with the same key is the same run.
    is_idempotent: bool = False
    find_errors: list[Exception] = field(default_factory=list)
    stop_errors: list[Exception] = field(default_factory=list)
    follow_errors: list[Exception] = field(default_factory=list)
    #: Starts whose answer gets lost although the run began.
    lose_answers: list[Exception] = field(default_factory=list)

    async def start(self, agent_id: UUID, prompt: str, *, key: UUID) -> RunRef:
        if self.start_errors:
            raise self.start_errors.pop(0)
        if self.is_idempotent and key in self.keys:
            return self.keys[key]
        self.starts.append((agent_id, prompt))
        run = RunRef(str(key), f"run-{len(self.starts)}")
        self.keys[key] = run
        self.runs[run.run_id] = asyncio.ensure_future(self.behaviour(agent_id, prompt))
        if self.lose_answers:
            raise self.lose_answers.pop(0)
        return run

    async def may_repeat_start(self) -> bool:
        return self.is_idempotent

    async def find(
        self, agent_id: UUID, prompt: str, *, key: UUID, since: datetime
    ) -> list[RunRef]:
        if self.find_errors:
            raise self.find_errors.pop(0)
        if self.cannot_tell_apart:
            return list(self.keys.values())
        return [self.keys[key]] if key in self.keys else []

    async def follow(self, run: RunRef, on_text: Callable[[str], Awaitable[None]]) -> RunState:
        if self.follow_errors:
            raise self.follow_errors.pop(0)
        outcome = await asyncio.shield(self.runs[run.run_id])
        if isinstance(outcome, RunState):
            return outcome
        await on_text(outcome.text)
        return RunState(RunStatus.COMPLETED)

    async def status(self, run: RunRef) -> RunState:
        if run in self.stopped:
            return RunState(RunStatus.STOPPED)
        done = self.runs[run.run_id].done()
        return RunState(RunStatus.COMPLETED if done else RunStatus.RUNNING)

    async def answer(self, run: RunRef) -> Answer:
        outcome = await self.runs[run.run_id]
        assert isinstance(outcome, Answer)
        return outcome

    async def stop(self, run: RunRef) -> None:
        if self.stop_errors:
            raise self.stop_errors.pop(0)
        self.runs[run.run_id].cancel()
        self.stopped.append(run)

    async def health(self) -> None:
        pass
