"""What goes on for whom, said to logs and traces while it goes on."""

# ruff: noqa: ARG002  NoSpans answers to the same signatures

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol
from uuid import UUID

from app.domain.execution import TraceContext
from app.domain.results import AgentResult


class Spans(Protocol):
    """Names work; each lasts as long as its block."""

    def job(
        self, name: str, execution_id: UUID, user_id: UUID, context: TraceContext | None
    ) -> AbstractContextManager[None]:
        """Work of the queue for an execution, in the trace of the request that asked for it."""

    def attempt(self, result: AgentResult) -> AbstractContextManager[None]:
        """One attempt of a step, within a job."""


class NoSpans:
    """Nobody listens."""

    def job(
        self,
        name: str,
        execution_id: UUID,
        user_id: UUID,
        context: TraceContext | None,
    ) -> AbstractContextManager[None]:
        return nullcontext()

    def attempt(self, result: AgentResult) -> AbstractContextManager[None]:
        return nullcontext()
