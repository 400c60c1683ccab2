"""`/agents`: Suna's agents, and nothing of Suna that is not meant for users."""

from typing import Any

import pytest

from renum_sandbox import constants
from renum_sandbox.agents.catalogue import SYSTEM_PROMPT_MARK
from tests.endpoints.people import OUTLINE, Json, Person, checked, problem_of

STRATEGIST: Json = {
    "id": OUTLINE,
    "name": "Content Strategist",
    "description": "Turns a brief into an outline: goal, audience, sections, call to action.",
    "category": "marketing",
    "capabilities": ["web_search_tool", "sb_files_tool"],
    "available": True,
}


def names(person: Person, **query: Any) -> list[str]:
    return [a["name"] for a in checked(person.http.get("agents", params=query), 200)["agents"]]


def test_agents_are_listed_by_name_in_the_specified_shape(ana: Person) -> None:
    body = checked(ana.http.get("agents"), 200)
    assert [a["name"] for a in body["agents"]] == [
        "Content Strategist",
        "Copywriter",
        "Data Extractor",
        "Editor",
        "Summariser",
        "Translator (PT-BR)",
    ]
    assert body["agents"][0] == STRATEGIST
    assert all(set(a) == set(STRATEGIST) for a in body["agents"])
    assert body["pagination"] == {"page": 1, "limit": 10, "total": 6, "pages": 1}
    assert body["stale"] is False


@pytest.mark.parametrize("path", ["agents", f"agents/{constants.EXTRACT_AGENT_ID}"])
def test_what_suna_tells_its_agents_stays_there(ana: Person, path: str) -> None:
    text = ana.http.get(path).text
    for secret in ("system_prompt", SYSTEM_PROMPT_MARK, "127.0.0.1", "Bearer", "headers"):
        assert secret not in text


def test_search_looks_at_name_and_description_in_any_case(ana: Person) -> None:
    assert names(ana, search="COPYWRITER") == ["Copywriter"]
    assert names(ana, search="verdict") == ["Editor"]
    assert names(ana, search="tránslàtor") == ["Translator (PT-BR)"]
    assert names(ana, search="nothing like it") == []


def test_a_category_is_matched_whole(ana: Person) -> None:
    assert names(ana, category="marketing") == ["Content Strategist", "Copywriter"]
    assert names(ana, category="marketing", search="outline:") == ["Content Strategist"]
    assert names(ana, category="market") == []


def test_agents_are_paged(ana: Person) -> None:
    everyone = names(ana)
    assert [names(ana, limit=4, page=n) for n in (1, 2, 3)] == [everyone[:4], everyone[4:], []]


def test_one_agent_is_the_same_as_in_the_list(ana: Person) -> None:
    assert checked(ana.http.get(f"agents/{OUTLINE}"), 200) == STRATEGIST


@pytest.mark.parametrize(
    "agent_id", ["00000000-0000-4000-8000-00000000dead", constants.PRIVATE_AGENT_ID]
)
def test_agents_that_are_not_ours_do_not_exist(ana: Person, agent_id: str) -> None:
    assert (
        agent_id in problem_of(ana.http.get(f"agents/{agent_id}"), 404, "agent_not_found")["detail"]
    )
