"""`/teams/{id}/execute` and `/executions`: started, watched, listed, cancelled."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from renum_sandbox.testing import RunningSandbox
from tests.endpoints.people import (
    DRAFT,
    OUTLINE,
    REVIEW,
    Json,
    Person,
    checked,
    problem_of,
    until,
)

THREE = ({"agent_id": OUTLINE}, {"agent_id": DRAFT}, {"agent_id": REVIEW})
SPECIFIED: Json = {
    "input_data": {
        "prompt": "Create a marketing campaign for product X",
        "context": {"product": "Product X", "target_audience": "Young professionals"},
    },
    "execution_config": {"timeout_minutes": 30, "parallel_limit": 3, "retry_failed": True},
}


def test_the_specified_request_is_accepted_as_specified(ana: Person) -> None:
    team = ana.team(*THREE)
    answer = ana.http.post(f"teams/{team['id']}/execute", json=SPECIFIED)
    body = checked(answer, 202)
    assert answer.headers["location"] == f"/api/v1/executions/{body['execution_id']}"
    assert UUID(body["execution_id"]).version == 7
    assert body["team_id"] == team["id"]
    assert body["team_name"] == team["name"]
    assert body["status"] == "running"
    assert body["queue_position"] is None
    assert body["completed_at"] is body["cancelled_at"] is body["error_code"] is None
    assert {k: body[k] for k in SPECIFIED} == SPECIFIED
    started = datetime.fromisoformat(body["started_at"])
    estimated = datetime.fromisoformat(body["estimated_completion"])
    assert estimated - started == timedelta(minutes=30)  # no history: the timeout
    assert body["progress"] == {
        "completed_agents": 0,
        "total_agents": 3,
        "failed_agents": 0,
        "skipped_agents": 0,
        "percentage": 0,
        "current_step": "Initializing agents",
    }
    assert [(r["key"], r["status"]) for r in body["results"]] == [
        ("agent_1", "pending"),
        ("agent_2", "pending"),
        ("agent_3", "pending"),
    ]
    assert [line["message"] for line in body["logs"]] == ["Execution started"]
    ana.wait(body["execution_id"])


def test_what_is_not_said_has_the_specified_defaults(ana: Person) -> None:
    body = {"input_data": {"prompt": "Sell product X"}}
    team = ana.team()
    started = checked(ana.http.post(f"teams/{team['id']}/execute", json=body), 202)
    assert started["execution_config"] == SPECIFIED["execution_config"]
    assert started["input_data"] == {"prompt": "Sell product X", "context": {}}
    ana.wait(started["execution_id"])


def test_a_sequential_team_hands_on_what_each_agent_wrote(ana: Person) -> None:
    team = ana.team(*THREE)
    started = checked(ana.http.post(f"teams/{team['id']}/execute", json=SPECIFIED), 202)
    done = ana.wait(started["execution_id"])
    assert done["status"] == "completed"
    assert done["completed_at"].endswith("Z")
    assert done["error_code"] is done["error_message"] is done["cancelled_at"] is None
    assert done["progress"]["completed_agents"] == 3
    assert done["progress"]["percentage"] == 100
    results = done["results"]
    assert [r["agent_id"] for r in results] == [OUTLINE, DRAFT, REVIEW]
    assert [r["status"] for r in results] == ["completed"] * 3
    assert [r["attempts"] for r in results] == [1] * 3
    assert all(r["output"] and r["execution_time_ms"] >= 0 for r in results)
    assert {r["remote_stop"] for r in results} == {"not_needed"}
    first, second, third = results
    assert SPECIFIED["input_data"]["prompt"] in first["input"]
    assert "Young professionals" in first["input"]
    assert f"## Result of Content Strategist (agent_1)\n{first['output']}" in second["input"]
    assert first["output"] in third["input"]
    assert second["output"] in third["input"]
    assert first["completed_at"] <= second["started_at"]
    assert second["completed_at"] <= third["started_at"]
    assert [line["seq"] for line in done["logs"]] == sorted(line["seq"] for line in done["logs"])
    assert done["logs"][0]["message"] == "Execution started"
    assert done["logs"][-1]["message"] == "Execution completed"
    assert {line["agent_id"] for line in done["logs"]} == {None, OUTLINE, DRAFT, REVIEW}
    assert not done["logs_truncated"]


def test_a_pipeline_gives_each_agent_only_the_output_before_it(ana: Person) -> None:
    team = ana.team(*THREE, workflow_type="pipeline")
    done = ana.wait(ana.execute(team)["execution_id"])
    first, second, third = done["results"]
    assert second["input"] == first["output"]
    assert third["input"] == second["output"]


def test_the_coordinator_of_a_parallel_team_joins_all_results(ana: Person) -> None:
    team = ana.team(
        {"agent_id": REVIEW, "key": "join", "role": "coordinator"},
        {"agent_id": OUTLINE, "key": "a"},
        {"agent_id": DRAFT, "key": "b"},
        workflow_type="parallel",
    )
    done = ana.wait(ana.execute(team)["execution_id"])
    assert done["status"] == "completed"
    assert [r["key"] for r in done["results"]] == ["a", "b", "join"]
    a, b, join = done["results"]
    assert a["input"] == b["input"] == "Sell product X"
    assert a["output"] in join["input"]
    assert b["output"] in join["input"]
    assert max(a["completed_at"], b["completed_at"]) <= join["started_at"]


def test_an_agent_whose_conditions_fail_is_skipped_and_its_follower_runs(ana: Person) -> None:
    never = [{"field": "context.go", "operator": "equals", "value": True}]
    team = ana.team(
        {"agent_id": OUTLINE, "key": "a"},
        {"agent_id": DRAFT, "key": "b", "config": {"conditions": never}},
        {"agent_id": REVIEW, "key": "c"},
        workflow_type="conditional",
    )
    done = ana.wait(ana.execute(team)["execution_id"])
    assert done["status"] == "completed"
    assert [r["status"] for r in done["results"]] == ["completed", "skipped", "completed"]
    assert done["progress"]["skipped_agents"] == 1


def test_a_later_change_of_the_team_does_not_reach_an_execution(ana: Person) -> None:
    team = ana.team(name="Before")
    execution_id = ana.running(team)["execution_id"]
    changes = {"name": "After", "agents": [{"agent_id": REVIEW}, {"agent_id": DRAFT}]}
    checked(ana.http.put(f"teams/{team['id']}", json=changes), 200)
    assert [r["agent_id"] for r in ana.execution(execution_id)["results"]] == [OUTLINE]


def test_a_team_with_history_is_estimated_by_it(ana: Person) -> None:
    team = ana.team()
    done = ana.wait(ana.execute(team)["execution_id"])
    again = ana.execute(team)
    started, estimated, begun, ended = (
        datetime.fromisoformat(t)
        for t in (
            again["started_at"],
            again["estimated_completion"],
            done["started_at"],
            done["completed_at"],
        )
    )
    assert abs((estimated - started) - (ended - begun)) < timedelta(milliseconds=5)
    ana.wait(again["execution_id"])


def nested(levels: int) -> Json:
    context: Json = {}
    for _ in range(levels - 1):
        context = {"a": context}
    return context


def asked(prompt: object = "x", context: object = None, **config: object) -> Json:
    return {
        "input_data": {"prompt": prompt, "context": {} if context is None else context},
        "execution_config": config,
    }


REFUSED: dict[str, tuple[Json, list[Any], str]] = {
    "empty prompt": (asked(""), ["input_data", "prompt"], "string_too_short"),
    "blank prompt": (asked(" \n\t"), ["input_data", "prompt"], "string_pattern_mismatch"),
    "long prompt": (asked("x" * 100_001), ["input_data", "prompt"], "string_too_long"),
    "NUL in the prompt": (asked("a\0"), ["input_data", "prompt"], "nul_character"),
    "NUL in the context": (
        asked(context={"a": ["\0"]}),
        ["input_data", "context", "a", 0],
        "nul_character",
    ),
    "deep context": (asked(context=nested(21)), ["input_data", "context"], "too_deep"),
    "large context": (
        asked(context={"a": "é" * 32 * 1024}),
        ["input_data", "context"],
        "too_large",
    ),
    "context as a list": (asked(context=[1]), ["input_data", "context"], "dict_type"),
    "no time": (
        asked(timeout_minutes=0),
        ["execution_config", "timeout_minutes"],
        "greater_than_equal",
    ),
    "too much time": (
        asked(timeout_minutes=1441),
        ["execution_config", "timeout_minutes"],
        "less_than_equal",
    ),
    "no agent at once": (
        asked(parallel_limit=0),
        ["execution_config", "parallel_limit"],
        "greater_than_equal",
    ),
    "51 agents at once": (
        asked(parallel_limit=51),
        ["execution_config", "parallel_limit"],
        "less_than_equal",
    ),
    "unknown setting": (asked(retry=True), ["execution_config", "retry"], "extra_forbidden"),
    "unknown field": ({**asked(), "when": "now"}, ["when"], "extra_forbidden"),
    "nothing": ({}, ["input_data"], "missing"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_run_is_refused_and_the_place_is_named(ana: Person, what: str) -> None:
    body, loc, code = REFUSED[what]
    team = ana.team()
    answer = ana.http.post(f"teams/{team['id']}/execute", json=body)
    errors = problem_of(answer, 422, "validation_error")["errors"]
    assert [(e["loc"], e["code"]) for e in errors] == [(["body", *loc], code)]
    listed = checked(ana.http.get("executions", params={"team_id": team["id"]}), 200)
    assert listed["executions"] == []


@pytest.mark.parametrize(
    "body",
    [
        asked(context=nested(20)),
        asked(context={"a": "x" * (64 * 1024 - len('{"a": ""}'))}),
        asked(timeout_minutes=1440, parallel_limit=50, retry_failed=False),
        asked(timeout_minutes=1, parallel_limit=1),
        asked("x" * 100_000),
    ],
    ids=["depth", "size", "most", "least", "prompt"],
)
def test_limits_are_within_what_is_accepted(ana: Person, body: Json) -> None:
    team = ana.team()
    started = checked(ana.http.post(f"teams/{team['id']}/execute", json=body), 202)
    assert started["input_data"] == body["input_data"]
    assert ana.wait(started["execution_id"])["status"] == "completed"


def test_a_failing_agent_fails_the_execution_at_once_without_retries(ana: Person) -> None:
    team = ana.team(*THREE)
    failed = ana.wait(ana.execute(team, "Break [[fail]]", retry_failed=False)["execution_id"])
    assert failed["status"] == "failed"
    assert failed["error_code"] == failed["results"][0]["error_code"] == "agent_failed"
    assert failed["error_message"].startswith("Content Strategist: ")
    assert [r["status"] for r in failed["results"]] == ["failed", "skipped", "skipped"]
    assert [r["attempts"] for r in failed["results"]] == [1, 0, 0]
    assert failed["progress"]["failed_agents"] == 1
    assert failed["progress"]["skipped_agents"] == 2
    assert failed["progress"]["percentage"] == 100
    levels = {line["level"] for line in failed["logs"]}
    assert levels == {"info", "error"}


def test_an_agent_that_may_fail_fails_nothing_else(ana: Person) -> None:
    team = ana.team({"agent_id": OUTLINE, "config": {"on_failure": "ignore"}})
    done = ana.wait(ana.execute(team, "Break [[fail]]", retry_failed=False)["execution_id"])
    assert done["status"] == "completed"
    assert [r["status"] for r in done["results"]] == ["failed"]


def test_an_agent_that_asks_a_person_has_completed(ana: Person) -> None:
    done = ana.wait(ana.execute(ana.team(), "Decide [[ask]]")["execution_id"])
    assert done["status"] == "completed"
    assert done["results"][0]["needs_input"] is True


def test_lists_are_filtered_and_paged(ana: Person) -> None:
    team, other = ana.team(), ana.team()
    first, second = (ana.wait(ana.execute(team)["execution_id"]) for _ in range(2))
    broken = ana.wait(ana.execute(team, "[[fail]]", retry_failed=False)["execution_id"])
    alone = ana.wait(ana.execute(other)["execution_id"])

    def ids(**query: Any) -> list[str]:
        found = checked(ana.http.get("executions", params={"team_id": team["id"], **query}), 200)
        return [e["execution_id"] for e in found["executions"]]

    newest_first = [e["execution_id"] for e in (broken, second, first)]
    assert ids() == newest_first
    assert ids(team_id=other["id"]) == [alone["execution_id"]]
    assert ids(team_id=str(uuid4())) == []
    assert ids(status="completed") == newest_first[1:]
    assert ids(status="failed") == newest_first[:1]
    assert ids(status=["completed", "failed"]) == newest_first
    assert ids(status=["pending", "cancelled"]) == []
    assert ids(created_after=second["created_at"]) == newest_first[:1]
    assert ids(created_before=second["created_at"]) == newest_first[2:]
    between = {"created_after": first["created_at"], "created_before": broken["created_at"]}
    assert ids(**between) == newest_first[1:2]
    assert [ids(limit=2, page=n) for n in (1, 2, 3)] == [newest_first[:2], newest_first[2:], []]


def test_an_item_of_a_list_has_no_results_and_no_logs(ana: Person) -> None:
    team = ana.team()
    done = ana.wait(ana.execute(team)["execution_id"])
    body = checked(ana.http.get("executions", params={"team_id": team["id"]}), 200)
    assert body["pagination"] == {"page": 1, "limit": 10, "total": 1, "pages": 1}
    left_out = {"results", "logs", "logs_truncated", "execution_config", "input_data", "seq"}
    assert body["executions"] == [{k: v for k, v in done.items() if k not in left_out}]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"status": "done"}, "enum"),
        ({"team_id": "x"}, "uuid_parsing"),
        ({"created_after": "2026-01-01T00:00:00"}, "timezone_aware"),
        ({"created_before": "soon"}, "datetime_parsing"),
        ({"created_before": "0001-01-01T00:00:00+01:00"}, "datetime_range"),
    ],
)
def test_filters_that_make_no_sense_are_refused(ana: Person, query: Json, code: str) -> None:
    body = problem_of(ana.http.get("executions", params=query), 422, "validation_error")
    assert body["errors"][0]["code"] == code
    assert body["errors"][0]["loc"][:2] == ["query", *query]


def test_logs_are_read_page_by_page(ana: Person) -> None:
    done = ana.wait(ana.execute(ana.team(*THREE))["execution_id"])
    path = f"executions/{done['execution_id']}/logs"
    whole = checked(ana.http.get(path), 200)
    assert whole == {"logs": done["logs"], "next_after": None}
    lines: list[Json] = []
    after: int | None = 0
    while after is not None:
        page = checked(ana.http.get(path, params={"after": after, "limit": 3}), 200)
        assert len(page["logs"]) <= 3
        lines += page["logs"]
        after = page["next_after"]
    assert lines == done["logs"]
    past = checked(ana.http.get(path, params={"after": done["seq"]}), 200)
    assert past == {"logs": [], "next_after": None}


@pytest.mark.parametrize("query", [{"after": -1}, {"limit": 0}, {"limit": 1001}, {"after": 2**31}])
def test_logs_out_of_bounds_are_refused(ana: Person, query: Json) -> None:
    path = f"executions/{uuid4()}/logs"
    problem_of(ana.http.get(path, params=query), 422, "validation_error")


def test_cancelling_stops_at_once_and_twice_is_the_same(
    ana: Person, sandbox: RunningSandbox
) -> None:
    mark = uuid4().hex
    started = ana.execute(ana.team(*THREE), f"{mark} [[sleep=30]]")
    execution_id = started["execution_id"]

    def runs() -> list[Json]:
        return [s for s in sandbox.starts() if mark in s["prompt"]]

    until(runs)
    answer = checked(ana.cancel(execution_id), 200)
    assert set(answer) == {"execution_id", "status", "cancelled_at"}
    assert (answer["execution_id"], answer["status"]) == (execution_id, "cancelled")
    assert answer["cancelled_at"].endswith("Z")
    now = ana.execution(execution_id)
    assert now["status"] == "cancelled"
    assert now["cancelled_at"] == now["completed_at"] == answer["cancelled_at"]
    assert [r["status"] for r in now["results"]] == ["cancelled"] * 3
    assert checked(ana.cancel(execution_id), 200) == answer
    stopped = ana.wait(execution_id, lambda e: e["results"][0]["remote_stop"] == "confirmed")
    assert [r["remote_stop"] for r in stopped["results"]] == [
        "confirmed",
        "not_needed",
        "not_needed",
    ]
    assert [r["status"] for r in runs()] == ["stopped"]
    assert checked(ana.cancel(execution_id), 200) == answer


@pytest.mark.parametrize(("prompt", "status"), [("x", "completed"), ("[[fail]]", "failed")])
def test_what_has_ended_by_itself_is_not_cancelled(ana: Person, prompt: str, status: str) -> None:
    done = ana.wait(ana.execute(ana.team(), prompt, retry_failed=False)["execution_id"])
    body = problem_of(ana.cancel(done["execution_id"]), 409, "execution_finished")
    assert status in body["detail"]
    assert ana.execution(done["execution_id"]) == done
