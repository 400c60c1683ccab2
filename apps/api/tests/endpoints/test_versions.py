"""Versions of teams: `ETag` and `If-Match`, and which one an execution began with (api.md §3)."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx2
import pytest

from tests.endpoints.people import DRAFT, OUTLINE, Json, Person, checked, problem_of


def change(person: Person, team: Json, if_match: str | None, **body: object) -> httpx2.Response:
    headers = {} if if_match is None else {"If-Match": if_match.encode("latin-1")}
    return person.http.put(f"teams/{team['id']}", json=body, headers=headers)


def test_the_etag_is_the_version(ana: Person) -> None:
    body = {"name": "T", "workflow_type": "sequential", "agents": [{"agent_id": OUTLINE}]}
    made = ana.http.post("teams", json=body)
    team = checked(made, 201)
    assert made.headers["etag"] == '"1"'
    assert ana.http.get(f"teams/{team['id']}").headers["etag"] == '"1"'
    changed = change(ana, team, '"1"', name="U")
    assert checked(changed, 200)["version"] == 2
    assert changed.headers["etag"] == '"2"'


def test_who_knows_an_older_version_changes_nothing(ana: Person) -> None:
    team = ana.team()
    checked(change(ana, team, None, name="Somebody was faster"), 200)
    problem = problem_of(change(ana, team, '"1"', name="Mine"), 412, "version_mismatch")
    assert problem["version"] == 2
    answer = ana.http.delete(f"teams/{team['id']}", headers={"If-Match": '"1"'})
    problem_of(answer, 412, "version_mismatch")
    assert checked(ana.http.get(f"teams/{team['id']}"), 200)["name"] == "Somebody was faster"
    answer = ana.http.delete(f"teams/{team['id']}", headers={"If-Match": '"2"'})
    checked(answer, 204)


@pytest.mark.parametrize("if_match", ['"1"', '"7", "1"', '"7",, "1",', '"\xe9", "1"', "*", None])
def test_what_matches(ana: Person, if_match: str | None) -> None:
    checked(change(ana, ana.team(), if_match, name="New"), 200)


@pytest.mark.parametrize("if_match", ['W/"1"', '""', '"one"', '"01"'])
def test_what_never_matches(ana: Person, if_match: str) -> None:
    problem_of(change(ana, ana.team(), if_match, name="New"), 412, "version_mismatch")


@pytest.mark.parametrize("if_match", ["1", '"1', '"1" "2"', "", "**"])
def test_what_is_no_entity_tag(ana: Person, if_match: str) -> None:
    problem_of(change(ana, ana.team(), if_match, name="New"), 422, "malformed_if_match")


def test_a_list_may_come_in_several_lines(ana: Person) -> None:
    path = f"teams/{ana.team()['id']}"
    lines = [("If-Match", '"7"'), ("If-Match", '"1"')]
    checked(ana.http.put(path, json={"name": "New"}, headers=lines), 200)
    lines = [("If-None-Match", '"7"'), ("If-None-Match", '"2"')]
    assert ana.http.get(path, headers=lines).status_code == 304


def test_of_many_changes_to_one_version_one_is_made(ana: Person) -> None:
    team = ana.team()
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda n: change(ana, team, '"1"', description=f"{n}"), range(8))
        )
    assert sorted(a.status_code for a in answers) == [200] + [412] * 7


def test_what_is_current_is_not_sent_again(ana: Person) -> None:
    team = ana.team()
    path = f"teams/{team['id']}"
    for known in ('"1"', 'W/"1"', '"0", "1"', "*"):
        answer = ana.http.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == '"1"'
    checked(ana.http.get(path, headers={"If-None-Match": '"0"'}), 200)


def test_every_version_stays_as_it_was(ana: Person, bruno: Person) -> None:
    team = ana.team(name="One")
    checked(change(ana, team, None, name="Two", agents=[{"agent_id": DRAFT, "key": "d"}]), 200)
    third = checked(change(ana, team, None, status="archived"), 200)
    path = f"teams/{team['id']}/versions"
    page = checked(ana.http.get(path), 200)
    assert page["pagination"]["total"] == 3
    newest, middle, first = page["versions"]
    assert [v["version"] for v in (newest, middle, first)] == [3, 2, 1]
    assert (first["name"], first["agents"]) == ("One", team["agents"])
    assert (middle["name"], middle["status"]) == ("Two", "active")
    assert {k: newest[k] for k in ("name", "status", "agents")} == {
        k: third[k] for k in ("name", "status", "agents")
    }
    assert newest["created_at"] == third["updated_at"]
    second = checked(ana.http.get(path, params={"page": 2, "limit": 2}), 200)
    assert [v["version"] for v in second["versions"]] == [1]
    problem_of(bruno.http.get(path), 404, "team_not_found")
    problem_of(ana.http.get(f"teams/{uuid4()}/versions"), 404, "team_not_found")


def test_an_execution_says_which_version_it_began_with(ana: Person) -> None:
    team = ana.team()
    execution = ana.execute(team, "[[fail]]", retry_failed=False)
    assert execution["team_version"] == 1
    ana.wait(execution["execution_id"])
    checked(change(ana, team, None, agents=[{"agent_id": DRAFT}]), 200)
    # A retry runs the plan that it began with.
    again = checked(ana.http.post(f"executions/{execution['execution_id']}/retry"), 202)
    assert again["team_version"] == 1
    assert ana.execute(team)["team_version"] == 2
    listed = checked(ana.http.get("executions", params={"team_id": team["id"]}), 200)["executions"]
    assert [e["team_version"] for e in listed] == [2, 1, 1]
