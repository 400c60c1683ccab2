"""`POST /executions/{id}/retry`: what is finished is kept, the rest runs again."""

from collections import Counter

from renum_sandbox.testing import RunningSandbox
from tests.endpoints.people import DRAFT, OUTLINE, REVIEW, Json, Person, checked, problem_of

FAILING = {"agent_id": DRAFT, "config": {"input_template": "Write. [[fail]]"}}


def started_by(sandbox: RunningSandbox, prompt: str) -> Counter[str]:
    return Counter(s["agent_id"] for s in sandbox.starts() if prompt in s["prompt"])


def retry(person: Person, execution: Json) -> Json:
    answer = person.http.post(f"executions/{execution['execution_id']}/retry")
    body = checked(answer, 202)
    assert answer.headers["location"] == f"/api/v1/executions/{body['execution_id']}"
    return body


def test_finished_results_are_reused_and_the_rest_runs_again(
    ana: Person, sandbox: RunningSandbox
) -> None:
    team = ana.team({"agent_id": OUTLINE}, FAILING, {"agent_id": REVIEW})
    failed = ana.execute(team, "Sell retried oats", retry_failed=False)
    failed = ana.wait(failed["execution_id"])
    assert [r["status"] for r in failed["results"]] == ["completed", "failed", "skipped"]

    again = retry(ana, failed)
    assert again["retry_of"] == failed["execution_id"] != again["execution_id"]
    assert again["input_data"] == failed["input_data"]
    ended = ana.wait(again["execution_id"])

    first, second, _ = ended["results"]
    assert first["reused"]
    assert {**first, "reused": False} == failed["results"][0]
    assert not second["reused"]
    assert second["attempts"] == 1
    assert started_by(sandbox, "Sell retried oats") == {OUTLINE: 1}
    assert "with 1 finished result of" in ended["logs"][0]["message"]


def test_a_cancelled_execution_goes_on_where_it_was(ana: Person) -> None:
    team = ana.team({"agent_id": OUTLINE}, {"agent_id": DRAFT})
    running = ana.running(team, seconds=1)
    checked(ana.cancel(running["execution_id"]), 200)
    again = ana.wait(retry(ana, running)["execution_id"])
    assert again["status"] == "completed"
    assert not any(r["reused"] for r in again["results"])


def test_what_runs_or_has_completed_is_not_retried(ana: Person) -> None:
    team = ana.team()
    running = ana.running(team)
    path = f"executions/{running['execution_id']}/retry"
    problem_of(ana.http.post(path), 409, "execution_not_retryable")
    done = ana.wait(ana.execute(team)["execution_id"])
    path = f"executions/{done['execution_id']}/retry"
    assert "completed" in problem_of(ana.http.post(path), 409, "execution_not_retryable")["detail"]


def test_a_retry_needs_its_team(ana: Person) -> None:
    team = ana.team()
    failed = ana.wait(ana.execute(team, "[[fail]]", retry_failed=False)["execution_id"])
    path = f"executions/{failed['execution_id']}/retry"
    checked(ana.http.put(f"teams/{team['id']}", json={"status": "inactive"}), 200)
    problem_of(ana.http.post(path), 409, "team_not_active")
    checked(ana.http.delete(f"teams/{team['id']}"), 204)
    problem_of(ana.http.post(path), 404, "team_not_found")


def test_a_retry_keeps_the_plan_it_began_with(ana: Person) -> None:
    team = ana.team(FAILING)
    failed = ana.wait(ana.execute(team, retry_failed=False)["execution_id"])
    changes = {"agents": [{"agent_id": OUTLINE}]}
    checked(ana.http.put(f"teams/{team['id']}", json=changes), 200)
    again = ana.wait(retry(ana, failed)["execution_id"])
    assert [r["agent_id"] for r in again["results"]] == [DRAFT]
