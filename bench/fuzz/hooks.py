"""
What schemathesis cannot know: which agents there are, and addresses that reach nobody.

Without it hardly any team could be saved, and nothing behind a team be reached.
"""

from typing import Any
from uuid import UUID

import schemathesis

from renum_sandbox import constants

_AGENTS = (
    constants.OUTLINE_AGENT_ID,
    constants.DRAFT_AGENT_ID,
    constants.REVIEW_AGENT_ID,
)


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:  # noqa: ARG001  the hook's signature
    """Let agents be real ones where they are ids at all; some ids stay as they are."""
    if isinstance(body, dict) and isinstance(body.get("agents"), list):
        for number, agent in enumerate(body["agents"]):
            if isinstance(agent, dict) and _is_id(agent.get("agent_id")):
                agent["agent_id"] = _AGENTS[number % len(_AGENTS)]
    return body


def _is_id(value: object) -> bool:
    try:
        return UUID(value).bytes[0] % 8 > 0 if isinstance(value, str) else False
    except ValueError:
        return False
