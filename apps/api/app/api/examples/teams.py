"""The agents, the team that is made of them, and its plan."""

from typing import Any

from app.api.examples.requests import RUN, TEAM_CHANGE
from app.api.examples.requests import TEAM as ASKED

Json = dict[str, Any]

TEAM_ID = "019ca940-7620-7645-9d46-faa168878bac"
MADE = "2026-03-01T11:55:00Z"

STRATEGIST: Json = {
    "id": ASKED["agents"][0]["agent_id"],
    "name": "Content Strategist",
    "description": "Turns a brief into an outline: goal, audience, sections, call to action.",
    "category": "marketing",
    "capabilities": ["web_search_tool", "sb_files_tool"],
    "available": True,
}
COPYWRITER: Json = {
    "id": ASKED["agents"][1]["agent_id"],
    "name": "Copywriter",
    "description": "Writes copy from a brief, or from an outline that a strategist made.",
    "category": "marketing",
    "capabilities": ["sb_files_tool"],
    "available": True,
}


def _place(own_id: str, agent: Json, asked: Json, order: int) -> Json:
    return {
        "id": own_id,
        "agent_id": agent["id"],
        "key": asked["key"],
        "role": asked.get("role", "member"),
        "order": order,
        "config": {
            "input_source": asked.get("config", {}).get("input_source"),
            "source_agents": [],
            "depends_on": [],
            "conditions": [],
            "input_template": None,
            "on_failure": None,
            "timeout_minutes": None,
        },
        "agent_details": {"name": agent["name"], "description": agent["description"]},
    }


_PLACES = [
    _place("019ca940-7620-7645-9d46-faa22d7eabdf", STRATEGIST, ASKED["agents"][0], 1),
    _place("019ca940-7620-7645-9d46-faa35bbb77fa", COPYWRITER, ASKED["agents"][1], 2),
]
TEAM_SUMMARY: Json = {
    "id": TEAM_ID,
    "name": ASKED["name"],
    "description": ASKED["description"],
    "workflow_type": ASKED["workflow_type"],
    "created_at": MADE,
    "updated_at": MADE,
    "agents_count": 2,
    "status": "active",
    "version": 1,
}
TEAM: Json = {**TEAM_SUMMARY, "agents": _PLACES}
_CHANGE: Json = {**TEAM_CHANGE, "updated_at": "2026-03-01T12:10:00Z", "version": 2}
CHANGED_TEAM: Json = {**TEAM, **_CHANGE}
CHANGED_SUMMARY: Json = {**TEAM_SUMMARY, **_CHANGE}
_KEPT = ("version", "name", "description", "workflow_type", "status", "agents")
#: Newest first.
VERSIONS = [
    {**{field: team[field] for field in _KEPT}, "created_at": team["updated_at"]}
    for team in (CHANGED_TEAM, TEAM)
]

BRIEF = (
    f"{RUN['input_data']['prompt']}\n\n"
    "## Context\n- product: Product X\n- target_audience: Young professionals"
)
OUTLINE = "# Outline: Product X\n\n1. **What changes with the first week**\n2. **Proof**"
DRAFT = "# Product X, made for real days\n\nYou know on day one whether it works for you."
#: What the second agent is given.
HANDED = "## Task\n{brief}\n\n## Result of Content Strategist (outline)\n{outline}"


def plan(brief: str) -> Json:
    """What is planned for a brief."""
    steps: list[Json] = [
        {"key": "outline", "stage": 1, "needs": [], "input_source": "initial_prompt"},
        {"key": "draft", "stage": 2, "needs": ["outline"], "input_source": "combined"},
    ]
    answered = "[output of Content Strategist (outline)]"
    inputs = (brief, HANDED.format(brief=brief, outline=answered))
    for step, agent, given in zip(steps, (STRATEGIST, COPYWRITER), inputs, strict=True):
        step |= {
            "agent_id": agent["id"],
            "agent_name": agent["name"],
            "sources": step["needs"],
            "input_template": None,
            "conditions": [],
            "on_failure": "stop",
            "timeout_minutes": None,
            "input": given,
            "input_error": None,
        }
    unknown = {"basis": "timeout", "samples": 0, "p50_s": None, "p90_s": None}
    return {"steps": steps, "estimate": {"seconds": 1800.0, **unknown}, "starts_now": True}
