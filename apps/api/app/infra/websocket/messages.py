"""Messages that are told and not stored."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.domain.results import AgentResult

OUTPUT = "agent_output"


def output_message(
    execution_id: UUID, result: AgentResult, *, offset: int, text: str
) -> dict[str, Any]:
    """A chunk of a running agent's text; `offset` counts characters of the attempt."""
    return {
        "type": OUTPUT,
        "data": {
            "execution_id": execution_id,
            "key": result.key,
            "agent_id": result.agent_id,
            "attempt": result.attempts,
            "offset": offset,
            "text": text,
        },
        "timestamp": datetime.now(UTC),
    }
