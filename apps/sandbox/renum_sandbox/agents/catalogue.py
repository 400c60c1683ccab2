"""The six demo agents: who they are in Suna, and the work behind each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from renum_sandbox import constants
from renum_sandbox.agents import draft, extract, outline, review, summarise, translate
from renum_sandbox.agents.prompt import Prompt, parse
from renum_sandbox.agents.text import clip

SYSTEM_PROMPT_MARK = "SANDBOX-INTERNAL-INSTRUCTIONS"
"""Stands in every system prompt: an answer of Renum that contains it has leaked one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    id: str
    key: str
    name: str
    description: str
    instructions: str
    tags: tuple[str, ...]
    tools: Mapping[str, object]
    work: Callable[[Prompt], str]
    created_at: datetime
    avatar: str
    avatar_color: str
    is_default: bool = False
    private: bool = False
    answers_by_tool: bool = False  # calls `complete` instead of just writing its answer
    custom_mcps: tuple[Mapping[str, Any], ...] = field(default=())

    @property
    def system_prompt(self) -> str:
        return f"[{SYSTEM_PROMPT_MARK}] You are {self.name}. {self.instructions}"


def _tool(description: str, *, enabled: bool = True) -> dict[str, object]:
    return {"enabled": enabled, "description": description}


def _day(number: int) -> datetime:
    return datetime(2026, 1, number, 9, 30, tzinfo=UTC)


AGENTS: tuple[Agent, ...] = (
    Agent(
        id=constants.OUTLINE_AGENT_ID,
        key="outline",
        name="Content Strategist",
        description="Turns a brief into an outline: goal, audience, sections, call to action.",
        instructions="Answer with an outline in Markdown that a copywriter can follow.",
        tags=("marketing", "planning"),
        tools={"web_search_tool": _tool("Search the web"), "sb_files_tool": True},
        work=outline.work,
        created_at=_day(11),
        avatar="🧭",
        avatar_color="#dbeafe",
        is_default=True,
    ),
    Agent(
        id=constants.DRAFT_AGENT_ID,
        key="draft",
        name="Copywriter",
        description="Writes copy from a brief, or from an outline that a strategist made.",
        instructions="Answer with finished copy in Markdown and keep to the outline if any.",
        tags=("marketing", "writing"),
        tools={"sb_files_tool": _tool("Read and write files"), "browser_tool": False},
        work=draft.work,
        created_at=_day(12),
        avatar="✍️",
        avatar_color="#fee2e2",
    ),
    Agent(
        id=constants.REVIEW_AGENT_ID,
        key="review",
        name="Editor",
        description="Reviews a text: concrete findings, a score out of 100 and a verdict.",
        instructions="Answer by calling `complete` with a review; never rewrite the text.",
        tags=("writing", "quality"),
        tools={"sb_files_tool": _tool("Read files"), "web_search_tool": _tool("", enabled=False)},
        work=review.work,
        created_at=_day(13),
        avatar="🔎",
        avatar_color="#fef3c7",
        answers_by_tool=True,
    ),
    Agent(
        id=constants.TRANSLATE_AGENT_ID,
        key="translate",
        name="Translator (PT-BR)",
        description="Translates English to Brazilian Portuguese and lists what it did not know.",
        instructions="Answer with the translation only; keep names, code and links.",
        tags=("language", "writing"),
        tools={"sb_files_tool": True},
        work=translate.work,
        created_at=_day(14),
        avatar="🌎",
        avatar_color="#dcfce7",
    ),
    Agent(
        id=constants.SUMMARISE_AGENT_ID,
        key="summarise",
        name="Summariser",
        description="Keeps the most telling sentences of a text, or of several results.",
        instructions="Answer with a short summary as a list; use only what the text says.",
        tags=("research", "writing"),
        tools={"web_search_tool": _tool("Search the web"), "data_providers_tool": True},
        work=summarise.work,
        created_at=_day(15),
        avatar="📌",
        avatar_color="#ede9fe",
    ),
    Agent(
        id=constants.EXTRACT_AGENT_ID,
        key="extract",
        name="Data Extractor",
        description="Finds names, numbers, dates, e-mails and links in a text, as JSON.",
        instructions="Answer with one JSON object and nothing else.",
        tags=("data", "research"),
        tools={"sb_shell_tool": _tool("Run commands"), "sb_files_tool": _tool("Read files")},
        work=extract.work,
        created_at=_day(16),
        avatar="🧮",
        avatar_color="#cffafe",
        # Must never leave Renum's backend: it has an address and a header in it.
        custom_mcps=(
            {
                "name": "records",
                "type": "http",
                "config": {
                    "url": "http://127.0.0.1:9/mcp",
                    "headers": {"Authorization": f"Bearer {SYSTEM_PROMPT_MARK}"},
                },
                "enabledTools": ["find_record"],
            },
        ),
    ),
    Agent(
        id=constants.PRIVATE_AGENT_ID,
        key="private",
        name="Somebody else's agent",
        description="Belongs to another account.",
        instructions="Nobody may see this.",
        tags=(),
        tools={},
        work=summarise.work,
        created_at=_day(17),
        avatar="🔒",
        avatar_color="#e5e7eb",
        private=True,
    ),
)
_BY_ID = {agent.id: agent for agent in AGENTS}
DEFAULT_AGENT = AGENTS[0]


def find(agent_id: str) -> Agent | None:
    return _BY_ID.get(agent_id)


# Duration, stream and messages of a run all need its text; it is worked out once.
@lru_cache(maxsize=128)
def answer(agent_id: str, prompt: str) -> str:
    """What the agent answers; the same text for the same prompt, always."""
    return _BY_ID[agent_id].work(parse(prompt))


def question(prompt: str) -> str:
    """What an agent asks a human when the prompt says `[[ask]]`."""
    task = parse(prompt).task
    return f"Before I go on: who decides on “{clip(task or 'this', 80)}”, and by when?"
