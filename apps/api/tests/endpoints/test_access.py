"""Who may reach what: the same rules for every route."""

from collections.abc import Callable
from uuid import uuid4

import httpx2
import pytest

from tests.endpoints.people import OUTLINE, Json, Person, checked, client_of, problem_of

TEAM_BODY: Json = {
    "name": "T",
    "workflow_type": "sequential",
    "agents": [{"agent_id": OUTLINE}],
}
EXECUTE_BODY: Json = {"input_data": {"prompt": "Sell product X"}}

LISTS = [
    ("GET", "teams", None),
    ("POST", "teams", TEAM_BODY),
    ("POST", "teams/validate", TEAM_BODY),
    ("GET", "executions", None),
    ("GET", "notifications", None),
    ("PUT", "notifications/read-all", None),
    ("GET", "agents", None),
]
TEAMS = [
    ("GET", "teams/{id}", None),
    ("PUT", "teams/{id}", {"name": "Mine now"}),
    ("DELETE", "teams/{id}", None),
    ("POST", "teams/{id}/execute", EXECUTE_BODY),
    ("POST", "teams/{id}/plan", EXECUTE_BODY),
]
EXECUTIONS = [
    ("GET", "executions/{id}", None),
    ("GET", "executions/{id}/logs", None),
    ("POST", "executions/{id}/cancel", None),
    ("POST", "executions/{id}/retry", None),
    ("GET", "executions/{id}/explain", None),
    ("GET", "executions/{id}/timeline", None),
    ("GET", "executions/{id}/results/agent_1/output", None),
]
NOTIFICATIONS = [("PUT", "notifications/{id}/read", None)]
AGENTS = [("GET", "agents/{id}", None)]
OF_ONE = [*TEAMS, *EXECUTIONS, *NOTIFICATIONS, *AGENTS]

Route = tuple[str, str, Json | None]


def routes(table: list[Route]) -> Callable[..., None]:
    return pytest.mark.parametrize("route", table, ids=[f"{m} {p}" for m, p, _ in table])


def call(client: httpx2.Client, route: Route, thing_id: object = None) -> httpx2.Response:
    method, path, body = route
    return client.request(method, path.format(id=thing_id or uuid4()), json=body)


def same_as_unknown(person: Person, route: Route, thing_id: str, code: str) -> None:
    unknown_id = str(uuid4())
    foreign = problem_of(call(person.http, route, thing_id), 404, code)
    unknown = problem_of(call(person.http, route, unknown_id), 404, code)
    for body, own_id in ((foreign, thing_id), (unknown, unknown_id)):
        del body["request_id"], body["instance"]
        body["detail"] = body["detail"].replace(own_id, "<id>")
    assert foreign == unknown


@routes([*LISTS, *OF_ONE])
def test_without_a_token_nothing_is_answered(nobody: httpx2.Client, route: Route) -> None:
    answer = call(nobody, route)
    problem_of(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


@routes([*LISTS, *OF_ONE])
def test_a_token_that_is_none_is_refused(url: str, route: Route) -> None:
    with client_of(url, "garbage") as client:
        problem_of(call(client, route), 401, "invalid_token")


@routes(OF_ONE)
def test_an_id_that_is_no_uuid_is_malformed(ana: Person, route: Route) -> None:
    body = problem_of(call(ana.http, route, "not-a-uuid"), 422, "validation_error")
    assert [(e["loc"][0], e["code"]) for e in body["errors"]] == [("path", "uuid_parsing")]


@routes(TEAMS)
def test_a_stranger_cannot_tell_that_a_team_exists(
    ana: Person, bruno: Person, route: Route
) -> None:
    team = ana.team(name="Ana's")
    same_as_unknown(bruno, route, team["id"], "team_not_found")
    assert checked(ana.http.get(f"teams/{team['id']}"), 200) == team


@routes(EXECUTIONS)
def test_a_stranger_cannot_tell_that_an_execution_exists(
    ana: Person, bruno: Person, route: Route
) -> None:
    execution = ana.running(ana.team())
    same_as_unknown(bruno, route, execution["execution_id"], "execution_not_found")
    assert ana.execution(execution["execution_id"])["status"] == "running"


@routes(NOTIFICATIONS)
def test_a_stranger_cannot_tell_that_a_notification_exists(
    ana: Person, bruno: Person, route: Route
) -> None:
    execution = ana.execute(ana.team())
    ana.wait(execution["execution_id"])
    listed = checked(ana.http.get("notifications", params={"limit": 100}), 200)["notifications"]
    [own] = [n for n in listed if n["data"]["execution_id"] == execution["execution_id"]]
    same_as_unknown(bruno, route, own["id"], "notification_not_found")
    again = checked(ana.http.get("notifications", params={"limit": 100}), 200)["notifications"]
    assert own in again


def test_lists_show_nothing_of_others(ana: Person, bruno: Person) -> None:
    team = ana.team()
    execution = ana.execute(team)
    ana.wait(execution["execution_id"])
    for path, items in (("teams", "teams"), ("executions", "executions")):
        mine = checked(ana.http.get(path, params={"limit": 100}), 200)[items]
        theirs = checked(bruno.http.get(path, params={"limit": 100}), 200)[items]
        assert mine
        assert not [i for i in theirs if i in mine]
    filtered = checked(bruno.http.get("executions", params={"team_id": team["id"]}), 200)
    assert filtered["executions"] == []
    told = checked(bruno.http.get("notifications", params={"limit": 100}), 200)["notifications"]
    assert execution["execution_id"] not in [n["data"]["execution_id"] for n in told]


@pytest.mark.parametrize("path", ["teams", "executions", "notifications", "agents"])
@pytest.mark.parametrize(
    "query", [{"page": 0}, {"limit": 0}, {"limit": 101}, {"page": "x"}, {"page": 2**31}]
)
def test_pages_out_of_bounds_are_refused(ana: Person, path: str, query: Json) -> None:
    body = problem_of(ana.http.get(path, params=query), 422, "validation_error")
    assert body["errors"][0]["loc"] == ["query", *query]


@pytest.mark.parametrize("path", ["teams", "executions", "notifications", "agents"])
def test_a_page_past_the_end_is_empty(ana: Person, path: str) -> None:
    body = checked(ana.http.get(path, params={"page": 2**31 - 1, "limit": 100}), 200)
    assert body[path] == []
    assert body["pagination"]["page"] == 2**31 - 1
