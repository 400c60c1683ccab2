"""`/teams`: what the specification says, every field and every refusal."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.endpoints.people import DRAFT, OUTLINE, REVIEW, Json, Person, checked, problem_of

DETAILS = {
    "name": "Content Strategist",
    "description": "Turns a brief into an outline: goal, audience, sections, call to action.",
}
DEFAULT_CONFIG: Json = {
    "input_source": None,
    "source_agents": [],
    "depends_on": [],
    "conditions": [],
    "input_template": None,
    "on_failure": None,
    "timeout_minutes": None,
}


def specified() -> Json:
    """The request of the specification."""
    return {
        "name": "Marketing Team",
        "description": "Team for marketing automation",
        "workflow_type": "sequential",
        "agents": [
            {
                "agent_id": OUTLINE,
                "role": "leader",
                "order": 1,
                "config": {"input_source": "initial_prompt", "conditions": []},
            }
        ],
    }


def at(text: str) -> datetime:
    assert text.endswith("Z")
    return datetime.fromisoformat(text)


def agent(**changes: Any) -> Json:
    return {"agent_id": OUTLINE, **changes}


def test_the_specified_request_gives_the_specified_answer(ana: Person) -> None:
    answer = ana.http.post("teams", json=specified())
    team = checked(answer, 201)
    assert answer.headers["location"] == f"/api/v1/teams/{team['id']}"
    assert UUID(team["id"]).version == 7
    [only] = team.pop("agents")
    assert UUID(only.pop("id"))
    assert only == {
        "agent_id": OUTLINE,
        "key": "agent_1",
        "role": "leader",
        "order": 1,
        "config": {**DEFAULT_CONFIG, "input_source": "initial_prompt"},
        "agent_details": DETAILS,
    }
    created = at(team.pop("created_at"))
    assert abs(datetime.now(UTC) - created) < timedelta(minutes=1)
    assert at(team.pop("updated_at")) == created
    del team["id"]
    assert team == {
        "name": "Marketing Team",
        "description": "Team for marketing automation",
        "workflow_type": "sequential",
        "agents_count": 1,
        "status": "active",
        "version": 1,
    }


def test_what_was_created_is_what_is_read(ana: Person) -> None:
    team = ana.team(agent(key="a"), agent(agent_id=DRAFT, config={"source_agents": ["a"]}))
    assert checked(ana.http.get(f"teams/{team['id']}"), 200) == team


def test_order_and_key_have_defaults(ana: Person) -> None:
    team = ana.team(agent(), agent(agent_id=DRAFT), agent(key="last", order=9))
    assert [(a["key"], a["order"], a["role"]) for a in team["agents"]] == [
        ("agent_1", 1, "member"),
        ("agent_2", 2, "member"),
        ("last", 9, "member"),
    ]
    alike = ana.team(agent(order=1), agent(order=1), workflow_type="parallel")
    assert [a["key"] for a in alike["agents"]] == ["agent_1", "agent_1_2"]


def test_names_are_trimmed_and_fifty_agents_are_welcome(ana: Person) -> None:
    team = ana.team(*[agent() for _ in range(50)], name="  Big  ")
    assert team["name"] == "Big"
    assert team["agents_count"] == 50


UNKNOWN = "00000000-0000-4000-8000-00000000dead"
REFUSED: dict[str, tuple[Json, str, list[tuple[list[Any], str]]]] = {
    "no agents": ({"agents": []}, "validation_error", [(["agents"], "too_short")]),
    "51 agents": ({"agents": [agent()] * 51}, "validation_error", [(["agents"], "too_long")]),
    "blank name": ({"name": " \t "}, "validation_error", [(["name"], "string_too_short")]),
    "long name": ({"name": "x" * 121}, "validation_error", [(["name"], "string_too_long")]),
    "long description": (
        {"description": "x" * 2001},
        "validation_error",
        [(["description"], "string_too_long")],
    ),
    "unknown field": ({"nmae": "x"}, "validation_error", [(["nmae"], "extra_forbidden")]),
    "unknown field of an agent": (
        {"agents": [agent(rôle="x")]},
        "validation_error",
        [(["agents", 0, "rôle"], "extra_forbidden")],
    ),
    "unknown field of a config": (
        {"agents": [agent(config={"depend_on": []})]},
        "validation_error",
        [(["agents", 0, "config", "depend_on"], "extra_forbidden")],
    ),
    "unknown workflow": (
        {"workflow_type": "magic"},
        "validation_error",
        [(["workflow_type"], "enum")],
    ),
    "unknown agent": (
        {"agents": [agent(), agent(agent_id=UNKNOWN)]},
        "unknown_agent",
        [(["agents", 1, "agent_id"], "unknown_agent")],
    ),
    "duplicate keys": (
        {"agents": [agent(key="a"), agent(key="a")]},
        "validation_error",
        [(["agents", 1, "key"], "duplicate_key")],
    ),
    "a key that is no slug": (
        {"agents": [agent(key="Bad Key")]},
        "validation_error",
        [(["agents", 0, "key"], "string_pattern_mismatch")],
    ),
    "two leaders": (
        {"agents": [agent(role="leader"), agent(role="leader")]},
        "validation_error",
        [(["agents", 0, "role"], "duplicate_role"), (["agents", 1, "role"], "duplicate_role")],
    ),
    "two coordinators": (
        {"agents": [agent(role="coordinator"), agent(), agent(role="coordinator")]},
        "validation_error",
        [(["agents", 0, "role"], "duplicate_role"), (["agents", 2, "role"], "duplicate_role")],
    ),
    "duplicate order": (
        {"agents": [agent(order=3), agent(order=3)]},
        "validation_error",
        [(["agents", 1, "order"], "duplicate_order")],
    ),
    "unknown source": (
        {"agents": [agent(), agent(config={"source_agents": ["agent_1", "ghost"]})]},
        "validation_error",
        [(["agents", 1, "config", "source_agents", 1], "unknown_key")],
    ),
    "itself as source": (
        {"agents": [agent(key="a", config={"depends_on": ["a"]})]},
        "validation_error",
        [(["agents", 0, "config", "depends_on", 0], "unknown_key")],
    ),
    "agent_result of nobody": (
        {"agents": [agent(config={"input_source": "agent_result"})]},
        "validation_error",
        [(["agents", 0, "config", "source_agents"], "missing")],
    ),
    "a cycle": (
        {"agents": [agent(key="a", config={"depends_on": ["b"]}), agent(key="b")]},
        "workflow_has_cycle",
        [(["agents", 0], "workflow_has_cycle"), (["agents", 1], "workflow_has_cycle")],
    ),
    "NUL in the name": ({"name": "a\0b"}, "validation_error", [(["name"], "nul_character")]),
    "NUL in a condition's value": (
        {
            "agents": [
                agent(
                    config={
                        "conditions": [
                            {"field": "context.a", "operator": "in", "value": ["\0"]},
                        ]
                    }
                )
            ]
        },
        "validation_error",
        [(["agents", 0, "config", "conditions", 0, "value", 0], "nul_character")],
    ),
    "a condition's field": (
        {"agents": [agent(config={"conditions": [{"field": "weather", "operator": "exists"}]})]},
        "validation_error",
        [(["agents", 0, "config", "conditions", 0, "field"], "invalid_condition")],
    ),
    "a condition's operator": (
        {"agents": [agent(config={"conditions": [{"field": "context.a", "operator": "like"}]})]},
        "validation_error",
        [(["agents", 0, "config", "conditions", 0, "operator"], "enum")],
    ),
    "a condition's value": (
        {
            "agents": [
                agent(
                    config={"conditions": [{"field": "context.a", "operator": "in", "value": "x"}]}
                )
            ]
        },
        "validation_error",
        [(["agents", 0, "config", "conditions", 0, "value"], "invalid_condition")],
    ),
    "a condition on a stranger": (
        {
            "agents": [
                agent(
                    config={"conditions": [{"field": "results.ghost.output", "operator": "exists"}]}
                )
            ]
        },
        "validation_error",
        [(["agents", 0, "config", "conditions", 0, "field"], "unknown_key")],
    ),
    "an agent's timeout": (
        {"agents": [agent(config={"timeout_minutes": 1441})]},
        "validation_error",
        [(["agents", 0, "config", "timeout_minutes"], "less_than_equal")],
    ),
}


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_run_is_not_saved_and_the_place_is_named(
    ana: Person, what: str, method: str
) -> None:
    changes, code, places = REFUSED[what]
    if method == "POST":
        answer = ana.http.post("teams", json={**specified(), **changes})
    else:
        team = ana.team()
        answer = ana.http.put(f"teams/{team['id']}", json=changes)
        assert checked(ana.http.get(f"teams/{team['id']}"), 200) == team
    errors = problem_of(answer, 422, code)["errors"]
    assert [(e["loc"], e["code"]) for e in errors] == [(["body", *loc], c) for loc, c in places]
    assert all(e["message"] for e in errors)


@pytest.mark.parametrize("field", ["name", "workflow_type", "agents"])
def test_what_is_required_is_asked_for(ana: Person, field: str) -> None:
    body = specified()
    del body[field]
    errors = problem_of(ana.http.post("teams", json=body), 422, "validation_error")["errors"]
    assert [(e["loc"], e["code"]) for e in errors] == [(["body", field], "missing")]


def test_an_unknown_agent_and_a_cycle_are_named_in_words(ana: Person) -> None:
    body = {**specified(), "agents": [agent(agent_id=UNKNOWN)]}
    assert UNKNOWN in ana.http.post("teams", json=body).json()["detail"]
    agents = [
        agent(key="a", config={"depends_on": ["c"]}),
        agent(key="b", config={"depends_on": ["a"]}),
        agent(key="c", config={"depends_on": ["b"]}),
    ]
    body = {**specified(), "workflow_type": "parallel", "agents": agents}
    detail = problem_of(ana.http.post("teams", json=body), 422, "workflow_has_cycle")["detail"]
    assert "a → c → b → a" in detail


def test_a_body_that_is_not_json_is_malformed(ana: Person) -> None:
    headers = {"Content-Type": "application/json"}
    answer = ana.http.post("teams", content=b'{"name": ', headers=headers)
    problem_of(answer, 422, "malformed_json")


def test_lists_are_paged_newest_first(ana: Person) -> None:
    mark = uuid4().hex
    made = [ana.team(name=f"{mark} {n}") for n in range(5)]
    newest_first = [t["id"] for t in reversed(made)]
    seen = []
    for page in (1, 2, 3, 4):
        body = checked(
            ana.http.get("teams", params={"search": mark, "limit": 2, "page": page}), 200
        )
        assert body["pagination"] == {"page": page, "limit": 2, "total": 5, "pages": 3}
        seen.append([t["id"] for t in body["teams"]])
    assert seen == [newest_first[:2], newest_first[2:4], newest_first[4:], []]


def test_an_item_of_a_list_is_the_team_without_its_agents(ana: Person) -> None:
    team = ana.team(agent(), agent(agent_id=DRAFT), description="d")
    [item] = checked(ana.http.get("teams", params={"search": team["name"]}), 200)["teams"]
    del team["agents"]
    assert item == team
    assert item["agents_count"] == 2


@pytest.mark.parametrize("asked", ["AÇÃO {}", "acao {}", "Ação {}", "ac\u0327a\u0303o {}"])
@pytest.mark.parametrize("member", ["name", "description"])
def test_search_ignores_case_and_accents(ana: Person, asked: str, member: str) -> None:
    mark = uuid4().hex
    team = ana.team(**{member: f"Plano de Ação {mark} do mês"})
    body = checked(ana.http.get("teams", params={"search": asked.format(mark)}), 200)
    assert [t["id"] for t in body["teams"]] == [team["id"]]


@pytest.mark.parametrize("text", ["%", "_", "\\", "'", '"; --'])
def test_search_takes_text_and_not_patterns(ana: Person, text: str) -> None:
    mark = uuid4().hex
    ana.team(name=f"{mark}abc")
    team = ana.team(name=f"{mark}{text}c")
    found = checked(ana.http.get("teams", params={"search": f"{mark}{text}"}), 200)["teams"]
    assert [t["id"] for t in found] == [team["id"]]


def test_search_refuses_a_nul(ana: Person) -> None:
    problem_of(ana.http.get("teams", params={"search": "a\0"}), 422, "validation_error")


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Other"},
        {"description": "Other"},
        {"description": None},
        {"workflow_type": "pipeline"},
        {"status": "archived"},
        {"name": "Other", "description": None, "status": "inactive"},
        {},
    ],
    ids=str,
)
def test_an_update_changes_what_it_names_and_nothing_else(ana: Person, changes: Json) -> None:
    team = ana.team(description="Was")
    updated = checked(ana.http.put(f"teams/{team['id']}", json=changes), 200)
    assert at(updated["updated_at"]) >= at(team["updated_at"])
    expected = {**team, **changes, "version": 2, "updated_at": updated["updated_at"]}
    assert updated == expected
    assert checked(ana.http.get(f"teams/{team['id']}"), 200) == expected


def test_the_version_rises_with_every_update(ana: Person) -> None:
    team = ana.team()
    versions = [
        checked(ana.http.put(f"teams/{team['id']}", json={"name": f"N{n}"}), 200)["version"]
        for n in range(3)
    ]
    assert versions == [2, 3, 4]


def test_agents_are_replaced_as_a_whole(ana: Person) -> None:
    team = ana.team(agent(), agent(agent_id=DRAFT))
    body = {"agents": [agent(agent_id=REVIEW, key="only", config={"on_failure": "ignore"})]}
    updated = checked(ana.http.put(f"teams/{team['id']}", json=body), 200)
    assert [(a["key"], a["agent_id"]) for a in updated["agents"]] == [("only", REVIEW)]
    assert updated["agents"][0]["config"] == {**DEFAULT_CONFIG, "on_failure": "ignore"}
    assert updated["agents"][0]["agent_details"]["name"] == "Editor"
    assert updated["agents_count"] == 1
    assert checked(ana.http.get(f"teams/{team['id']}"), 200) == updated


def test_another_workflow_type_is_checked_against_the_agents_there_are(ana: Person) -> None:
    team = ana.team(agent(order=1), agent(order=1), workflow_type="parallel")
    answer = ana.http.put(f"teams/{team['id']}", json={"workflow_type": "sequential"})
    errors = problem_of(answer, 422, "validation_error")["errors"]
    assert [e["code"] for e in errors] == ["duplicate_order"]


@pytest.mark.parametrize("status", ["inactive", "archived"])
def test_only_active_teams_execute(ana: Person, status: str) -> None:
    team = ana.team()
    checked(ana.http.put(f"teams/{team['id']}", json={"status": status}), 200)
    problem_of(ana.try_to_execute(team), 409, "team_not_active")
    checked(ana.http.put(f"teams/{team['id']}", json={"status": "active"}), 200)
    ana.execute(team)


def test_a_deleted_team_is_gone(ana: Person) -> None:
    team = ana.team()
    answer = ana.http.delete(f"teams/{team['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    problem_of(ana.http.delete(f"teams/{team['id']}"), 404, "team_not_found")
    problem_of(ana.http.get(f"teams/{team['id']}"), 404, "team_not_found")
    problem_of(ana.http.put(f"teams/{team['id']}", json={}), 404, "team_not_found")
    problem_of(ana.try_to_execute(team), 404, "team_not_found")
    found = checked(ana.http.get("teams", params={"search": team["name"]}), 200)
    assert found["teams"] == []


def test_a_team_that_runs_is_not_deleted_and_its_executions_outlive_it(ana: Person) -> None:
    team = ana.team()
    execution_id = ana.running(team)["execution_id"]
    problem_of(ana.http.delete(f"teams/{team['id']}"), 409, "team_has_running_executions")
    checked(ana.cancel(execution_id), 200)
    checked(ana.http.delete(f"teams/{team['id']}"), 204)
    kept = ana.execution(execution_id)
    assert (kept["team_id"], kept["team_name"]) == (team["id"], team["name"])
    listed = checked(ana.http.get("executions", params={"team_id": team["id"]}), 200)
    assert [e["execution_id"] for e in listed["executions"]] == [execution_id]
