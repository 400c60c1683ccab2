"""Every operation of the document, asked by a stranger: nothing of anybody else's exists."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from app.core.settings import Settings
from app.main import create_app
from tests.endpoints.people import OUTLINE, Json, Person, checked, problem_of
from tests.endpoints.test_access import EXECUTE_BODY

DOCUMENT = create_app(Settings.model_construct(), worker=False).openapi()
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
PROTECTED = [
    name for name, (_, _, o) in OPERATIONS.items() if {"access_token": []} in o.get("security", [])
]
ABOUT_ONE = [name for name, (_, path, _) in OPERATIONS.items() if "{" in path]
JSON = {"Accept": "application/json"}  # a page, where there is a stream without an end too
#: Everybody's of one account at Suna.
SHARED = {"get_agent"}
BODIES: dict[str, Json] = {
    "update_team": {"name": "Mine now"},
    "execute_team": EXECUTE_BODY,
    "plan_team": EXECUTE_BODY,
    "update_webhook": {"description": "Mine now"},
}


@pytest.fixture
def anas_things(ana: Person) -> Iterator[dict[str, str]]:
    """One of everything that has an id, by the name of its path parameter."""
    team = ana.team({"agent_id": OUTLINE, "key": "a"})
    execution_id = ana.execute(team)["execution_id"]
    ana.wait(execution_id)
    told = checked(ana.http.get("notifications"), 200)["notifications"][0]
    key = checked(ana.http.post("api-keys", json={"name": "k", "scopes": ["read"]}), 201)
    webhook = checked(ana.http.post("webhooks", json={"url": "https://nowhere.invalid/"}), 201)
    delivery = checked(ana.http.post(f"webhooks/{webhook['id']}/test"), 202)
    yield {
        "team_id": team["id"],
        "execution_id": execution_id,
        "key": "a",
        "field": "output",
        "notification_id": told["id"],
        "key_id": key["id"],
        "webhook_id": webhook["id"],
        "delivery_id": delivery["id"],
        "agent_id": OUTLINE,
    }
    checked(ana.http.delete(f"api-keys/{key['id']}"), 204)
    checked(ana.http.delete(f"webhooks/{webhook['id']}"), 204)


def ask(client: httpx2.Client, name: str, things: dict[str, str]) -> httpx2.Response:
    method, path, _ = OPERATIONS[name]
    address = path.removeprefix("/api/v1/").format(**things)
    return client.request(method, address, json=BODIES.get(name), headers=JSON)


def state(person: Person) -> list[Any]:
    lists = ("teams", "executions", "notifications", "api-keys")
    pages = [checked(person.http.get(path, params={"limit": 100}), 200) for path in lists]
    # Whether its endpoint answers changes by itself.
    webhooks = checked(person.http.get("webhooks"), 200)["webhooks"]
    return [*pages, [{**w, "failing_since": None} for w in webhooks]]


def test_what_is_anothers_does_not_exist(
    ana: Person, bruno: Person, anas_things: dict[str, str]
) -> None:
    before = state(ana)
    for name in ABOUT_ONE:
        answer = ask(bruno.http, name, anas_things)
        if name in SHARED:
            checked(answer, 200)
        else:
            assert answer.status_code == 404, (name, answer.text)
            assert answer.json()["code"].endswith("_not_found"), name
    assert state(ana) == before


def test_lists_hold_nothing_of_others(
    ana: Person, bruno: Person, anas_things: dict[str, str]
) -> None:
    own = {i for name, i in anas_things.items() if name not in ("agent_id", "key", "field")}
    for name in PROTECTED:
        method, path, _ = OPERATIONS[name]
        if method == "GET" and "{" not in path and name not in ("list_agents", "me"):
            text = ask(bruno.http, name, {}).text
            assert not [i for i in own if i in text], name
    # Numbers of the event log are each user's own: those of others lead nowhere.
    for after in (0, 1, 10**6):
        page = bruno.http.get("events", params={"after": after, "limit": 1000}, headers=JSON)
        assert not [i for i in own if i in page.text]


@pytest.mark.parametrize("name", PROTECTED)
def test_without_a_token_nothing_is_done(nobody: httpx2.Client, name: str) -> None:
    things = dict.fromkeys(
        ("team_id", "execution_id", "notification_id", "key_id", "webhook_id", "delivery_id"),
        "0199c4f6-7d3e-7a51-9c55-0f6f3f6d2b11",
    ) | {"agent_id": OUTLINE, "key": "a", "field": "output"}
    problem_of(ask(nobody, name, things), 401, "unauthenticated")


def test_the_table_is_whole() -> None:
    assert len(PROTECTED) > 30
    assert set(BODIES) <= set(OPERATIONS)
    need_a_body = {n for n in ABOUT_ONE if OPERATIONS[n][2].get("requestBody", {}).get("required")}
    assert need_a_body <= set(BODIES)
