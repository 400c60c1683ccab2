"""`POST /teams/validate`, `POST /teams/{id}/plan`, and the wait that `explain` names."""

import pytest

from renum_sandbox.testing import RunningSandbox
from tests.endpoints.people import DRAFT, OUTLINE, REVIEW, Json, Person, checked, problem_of

TEAM: Json = {
    "name": "Marketing Team",
    "workflow_type": "conditional",
    "agents": [
        {"agent_id": OUTLINE, "key": "plan", "order": 1},
        {"agent_id": DRAFT, "key": "draft", "order": 2},
        {
            "agent_id": REVIEW,
            "key": "review",
            "order": 2,
            "config": {
                "conditions": [
                    {"field": "results.plan.output", "operator": "contains", "value": "goal"}
                ],
                "input_template": "Judge {{ results.plan.output }} for {{ initial_prompt }}",
                "on_failure": "ignore",
                "timeout_minutes": 5,
            },
        },
    ],
}


def test_a_valid_team_is_shown_as_it_would_run_and_not_saved(
    ana: Person, sandbox: RunningSandbox
) -> None:
    before = len(sandbox.starts())
    total = checked(ana.http.get("teams"), 200)["pagination"]["total"]
    plan = checked(ana.http.post("teams/validate", json=TEAM), 200)
    assert [(s["key"], s["stage"], s["needs"]) for s in plan["steps"]] == [
        ("plan", 1, []),
        ("draft", 2, ["plan"]),
        ("review", 2, ["plan"]),
    ]
    review = plan["steps"][2]
    assert review["input"].startswith("Judge [output of ")
    assert review["input"].endswith("(plan)] for [prompt]")
    assert (review["on_failure"], review["timeout_minutes"]) == ("ignore", 5)
    assert plan["estimate"] == {
        "seconds": 1800.0,
        "basis": "timeout",
        "samples": 0,
        "p50_s": None,
        "p90_s": None,
    }
    assert plan["starts_now"] is True
    assert checked(ana.http.get("teams"), 200)["pagination"]["total"] == total
    assert len(sandbox.starts()) == before


@pytest.mark.parametrize(
    ("template", "code", "says"),
    [
        ("{% if %}", "invalid_template", "Line 1"),
        ("{{ prompt }}", "invalid_template", "'prompt'"),
        ("{{ results.ghost.output }}", "unknown_key", "'ghost'"),
        ("{{ results['agent_1'].output }}", "unknown_key", "itself"),
        ("   ", "invalid_template", "empty"),
    ],
)
def test_a_template_that_cannot_work_is_refused_with_its_place(
    ana: Person, template: str, code: str, says: str
) -> None:
    agents = [{"agent_id": OUTLINE, "config": {"input_template": template}}]
    body = {**TEAM, "agents": agents}
    for path in ("teams/validate", "teams"):
        problem = problem_of(ana.http.post(path, json=body), 422, "validation_error")
        (error,) = problem["errors"]
        assert error["loc"] == ["body", "agents", 0, "config", "input_template"]
        assert error["code"] == code
        assert says in error["message"]


def test_a_plan_shows_the_inputs_of_this_prompt(ana: Person) -> None:
    team = ana.team(*TEAM["agents"], workflow_type="conditional")
    asked = {"input_data": {"prompt": "Sell X", "context": {"product": "X"}}}
    plan = checked(ana.http.post(f"teams/{team['id']}/plan", json=asked), 200)
    assert plan["steps"][0]["input"] == "Sell X\n\n## Context\n- product: X"
    assert plan["steps"][1]["input_source"] == "combined"
    assert "## Task\nSell X" in plan["steps"][1]["input"]
    assert plan["steps"][2]["input"].endswith("for Sell X")
    checked(ana.http.post(f"teams/{team['id']}/plan"), 200)


def test_a_plan_says_what_a_template_lacks(ana: Person) -> None:
    template = "About {{ context.product }}"
    team = ana.team({"agent_id": OUTLINE, "config": {"input_template": template}})
    plan = checked(ana.http.post(f"teams/{team['id']}/plan"), 200)
    (step,) = plan["steps"]
    assert step["input"] is None
    assert "'product'" in step["input_error"]


def test_the_estimate_comes_from_the_teams_own_runs(ana: Person) -> None:
    team = ana.team()
    for _ in range(3):
        ana.wait(ana.execute(team)["execution_id"])
    estimate = checked(ana.http.post(f"teams/{team['id']}/plan"), 200)["estimate"]
    assert (estimate["basis"], estimate["samples"]) == ("history", 3)
    assert 0 < estimate["p50_s"] <= estimate["p90_s"]
    assert estimate["seconds"] == estimate["p50_s"]


def test_a_template_makes_the_whole_input(ana: Person, sandbox: RunningSandbox) -> None:
    ends = "{{ context.tone }} words about {{ results.plan.status }}"
    team = ana.team(
        {"agent_id": OUTLINE, "key": "plan"},
        {"agent_id": DRAFT, "config": {"input_template": ends}},
    )
    answer = ana.try_to_execute(team, "Sell X", context={"tone": "Templated"})
    ended = ana.wait(checked(answer, 202)["execution_id"])
    assert ended["status"] == "completed"
    assert ended["results"][1]["input"] == "Templated words about completed"
    assert any(s["prompt"] == "Templated words about completed" for s in sandbox.starts())


def test_a_template_that_fails_fails_its_agent_without_a_start(
    ana: Person, sandbox: RunningSandbox
) -> None:
    before = len(sandbox.starts())
    team = ana.team({"agent_id": OUTLINE, "config": {"input_template": "{{ context.none }}"}})
    ended = ana.wait(ana.execute(team)["execution_id"])
    assert (ended["status"], ended["error_code"]) == ("failed", "template_failed")
    assert "'none'" in ended["error_message"]
    assert ended["results"][0]["attempts"] == 1
    assert len(sandbox.starts()) == before


def test_explain_names_the_agent_that_is_waited_for(ana: Person) -> None:
    running = ana.running(ana.team())
    path = f"executions/{running['execution_id']}/explain"
    ana.wait(running["execution_id"], lambda e: bool(e["results"][0]["input"]))
    told = checked(ana.http.get(path), 200)
    assert told["status"] == "running"
    assert told["deadline_at"] is not None
    (wait,) = told["waits"]
    assert wait["key"] == "agent_1"
    assert wait["waits_for"] in ("agent_start", "agent_answer")
    checked(ana.cancel(running["execution_id"]), 200)
    told = checked(ana.http.get(path), 200)
    assert told["summary"] == "It was cancelled by its user."


def test_the_whole_output_is_read_as_text(ana: Person) -> None:
    ended = ana.wait(ana.execute(ana.team())["execution_id"])
    (result,) = ended["results"]
    path = f"executions/{ended['execution_id']}/results"
    answer = ana.http.get(f"{path}/agent_1/output")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == result["output"]
    assert len(answer.content) == result["output_bytes"]
    assert not result["output_truncated"]
    assert ana.http.get(f"{path}/agent_1/input").text == result["input"]
    problem_of(ana.http.get(f"{path}/nobody/output"), 404, "text_not_found")
    checked(ana.http.get(f"{path}/no%00body/output"), 422)
