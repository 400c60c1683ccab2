"""
The API that the specification assumes: `POST /agents/{id}/execute`, `GET /executions/{id}`.

No Suna has it; it is for a gateway in front of one. The specification gives only the paths. The
rest follows its own executions: the prompt in `input_data.prompt`, `execution_id`, `status`, and
`POST /executions/{id}/cancel`. docs/suna.md describes what a gateway has to offer.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.common.text import storable
from app.domain.agents import (
    Answer,
    RunRef,
    RunState,
    RunStatus,
    StartUnknown,
    SunaUnavailable,
)
from app.infra.suna.http import SunaHttp
from app.infra.suna.starting import id_in, send_start

IDEMPOTENCY_KEY = "Idempotency-Key"

_STATUSES = {
    "pending": RunStatus.RUNNING,
    "queued": RunStatus.RUNNING,
    "running": RunStatus.RUNNING,
    "completed": RunStatus.COMPLETED,
    "cancelled": RunStatus.STOPPED,
    "stopped": RunStatus.STOPPED,
}


@dataclass(frozen=True, slots=True)
class Execute:
    """One execution of the gateway is one run."""

    #: Whether the gateway says that it answers the same key with the same execution. Else a start
    #: whose answer was lost stays unknown: sending it again could run the agent twice.
    idempotent: bool
    name = "execute"

    async def start(self, http: SunaHttp, agent_id: UUID, prompt: str, key: UUID) -> RunRef:
        return await send_start(
            http,
            f"agents/{agent_id}/execute",
            agent_id,
            key,
            headers={IDEMPOTENCY_KEY: str(key)},
            json={"input_data": {"prompt": prompt}},
            read=_started,
        )

    async def find(
        self, http: SunaHttp, agent_id: UUID, prompt: str, *, key: UUID, since: datetime
    ) -> list[RunRef]:
        """Raises StartUnknown: executions are found by their id only."""
        raise StartUnknown("This gateway offers no way to find a run whose start went unanswered.")

    async def state(self, http: SunaHttp, run: RunRef) -> RunState:
        body = await _read(http, run)
        said = body.get("status")
        if not isinstance(said, str):
            raise SunaUnavailable("Suna's answer about a run is not readable.")
        status = _STATUSES.get(said, RunStatus.FAILED)
        error = body.get("error") or body.get("error_message")
        return RunState(status, error if isinstance(error, str) else None)

    async def text(self, http: SunaHttp, run: RunRef) -> AsyncGenerator[str]:
        """There is none before the end."""
        nothing: tuple[str, ...] = ()
        for text in nothing:
            yield text

    async def answer(self, http: SunaHttp, run: RunRef) -> Answer:
        body = await _read(http, run)
        output = body.get("output")
        text = output if isinstance(output, str) else ""
        return Answer(storable(text).strip(), needs_input=body.get("needs_input") is True)

    async def stop(self, http: SunaHttp, run: RunRef) -> None:
        await http.post(f"executions/{run.run_id}/cancel")


async def _read(http: SunaHttp, run: RunRef) -> Mapping[str, Any]:
    body = await http.get(f"executions/{run.run_id}")
    return body if isinstance(body, Mapping) else {}


def _started(body: Mapping[str, Any]) -> RunRef:
    id_ = id_in(body.get("execution_id") or body["id"])
    return RunRef(id_, id_)
