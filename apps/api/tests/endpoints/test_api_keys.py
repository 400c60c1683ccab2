"""API keys: what a machine may do in a user's name, and what it may not."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import psycopg
import pytest
from websockets.sync.client import connect

from app.usecases import api_keys
from renum_sandbox.testing import RunningSandbox
from tests.endpoints.people import (
    OUTLINE,
    Json,
    Person,
    checked,
    client_of,
    problem_of,
    signed_in,
    until,
)
from tests.live.client import close_code, receive
from tests.serving import serving, settings_for

TEAM = {"name": "T", "workflow_type": "sequential", "agents": [{"agent_id": OUTLINE}]}
NOWHERE = "0199c4f6-7d3e-7a51-9c55-0f6f3f6d2b11"
ALL = ["read", "execute", "manage"]


def make(person: Person, *scopes: str, **changes: object) -> Json:
    body = {"name": "Machine", "scopes": list(scopes), **changes}
    return checked(person.http.post("api-keys", json=body), 201)


@contextmanager
def machine(url: str, key: str) -> Iterator[httpx2.Client]:
    with client_of(url) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        yield client


def test_a_key_is_shown_once_and_then_only_by_its_beginning(ana: Person, url: str) -> None:
    answer = ana.http.post("api-keys", json={"name": " Report ", "scopes": ["read"]})
    made = checked(answer, 201)
    assert answer.headers["cache-control"] == "no-store"
    key = made.pop("key")
    assert key.startswith("rk_")
    assert len(key) == 46
    assert key.startswith(made["prefix"])
    assert (made["name"], made["scopes"], made["last_used_at"]) == ("Report", ["read"], None)
    listed = checked(ana.http.get("api-keys"), 200)["api_keys"]
    assert listed[0] == made
    assert key not in ana.http.get("api-keys").text
    with machine(url, key) as client:
        me = checked(client.get("auth/me"), 200)
        assert me == checked(ana.http.get("auth/me"), 200)
    used = checked(ana.http.get("api-keys"), 200)["api_keys"][0]["last_used_at"]
    assert datetime.now(UTC) - datetime.fromisoformat(used) < timedelta(minutes=1)
    assert make(ana, "read", "execute", "manage")["scopes"] == ["execute", "manage", "read"]


def test_only_the_hash_is_stored(sandbox: RunningSandbox, new_database: Callable[[], str]) -> None:
    database_url = new_database()
    with (
        serving(settings_for(sandbox, database_url), worker=False) as url,
        signed_in(url, "ana@renum.example") as client,
    ):
        key = make(Person(client), "read")["key"]
        with psycopg.connect(database_url) as connection:
            row = connection.execute("SELECT k::text, hash FROM renum.api_keys k").fetchone()
    assert row is not None
    assert key not in row[0]
    assert bytes(row[1]) == hashlib.sha256(key.encode()).digest()


def test_the_end_of_a_key_is_a_moment_that_can_be_read_again(ana: Person) -> None:
    beyond = {"name": "x", "scopes": ["read"], "expires_at": "9999-12-31T23:59:59-14:00"}
    problem = problem_of(ana.http.post("api-keys", json=beyond), 422, "validation_error")
    (place,) = problem["errors"]
    assert (place["loc"], place["code"]) == (["body", "expires_at"], "datetime_range")
    made = make(ana, "read", expires_at="2999-01-01T01:00:00+01:00")
    listed = checked(ana.http.get("api-keys"), 200)["api_keys"]
    assert made["expires_at"] == listed[0]["expires_at"] == "2999-01-01T00:00:00Z"


CALLS: list[tuple[str, str, str, Any]] = [
    ("read", "GET", "teams", None),
    ("read", "GET", "executions", None),
    ("read", "GET", "notifications", None),
    ("read", "GET", "agents", None),
    ("read", "GET", "auth/me", None),
    ("execute", "POST", "teams/validate", TEAM),
    ("execute", "POST", f"teams/{NOWHERE}/execute", {"input_data": {"prompt": "x"}}),
    ("execute", "POST", f"teams/{NOWHERE}/plan", {}),
    ("execute", "POST", f"executions/{NOWHERE}/cancel", None),
    ("execute", "POST", f"executions/{NOWHERE}/retry", None),
    ("manage", "POST", "teams", TEAM),
    ("manage", "PUT", f"teams/{NOWHERE}", {"name": "x"}),
    ("manage", "DELETE", f"teams/{NOWHERE}", None),
    ("manage", "PUT", "notifications/read-all", None),
]


@pytest.mark.parametrize(
    "call", CALLS, ids=[f"{m} {p.replace(NOWHERE, 'id')}" for _, m, p, _ in CALLS]
)
def test_each_scope_opens_its_own(ana: Person, url: str, call: tuple[str, str, str, Any]) -> None:
    scope, method, path, body = call
    with machine(url, make(ana, scope)["key"]) as client:
        answer = client.request(method, path, json=body)
        assert answer.status_code not in (401, 403), answer.text
    others = [s for s in ALL if s != scope]
    with machine(url, make(ana, *others)["key"]) as client:
        problem = problem_of(client.request(method, path, json=body), 403, "insufficient_scope")
        assert scope in problem["detail"]


def test_a_key_makes_no_keys_and_ends_no_session(ana: Person, url: str) -> None:
    made = make(ana, *ALL)
    with machine(url, made["key"]) as client:
        for method, path, body in (
            ("POST", "api-keys", {"name": "x", "scopes": ["read"]}),
            ("GET", "api-keys", None),
            ("DELETE", f"api-keys/{made['id']}", None),
            ("POST", "auth/logout", None),
        ):
            problem_of(client.request(method, path, json=body), 403, "insufficient_scope")


def test_what_does_not_hold_opens_nothing(
    sandbox: RunningSandbox, new_database: Callable[[], str]
) -> None:
    database_url = new_database()
    with (
        serving(settings_for(sandbox, database_url), worker=False) as url,
        signed_in(url, "ana@renum.example") as client,
        signed_in(url, "bruno@renum.example") as other,
    ):
        ana, bruno = Person(client), Person(other)
        soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        expiring, deleted = make(ana, "read", expires_at=soon), make(ana, "read")
        for made in (expiring, deleted):
            with machine(url, made["key"]) as bearer:
                checked(bearer.get("teams"), 200)
        with psycopg.connect(database_url) as connection:
            connection.execute(
                "UPDATE renum.api_keys SET expires_at = now() WHERE id = %s", (expiring["id"],)
            )
        path = f"api-keys/{deleted['id']}"
        problem_of(bruno.http.delete(path), 404, "api_key_not_found")
        checked(ana.http.delete(path), 204)
        problem_of(ana.http.delete(path), 404, "api_key_not_found")
        for key in (expiring["key"], deleted["key"], "rk_", "rk_" + "x" * 43):
            with machine(url, key) as bearer:
                answer = bearer.get("teams")
                problem_of(answer, 401, "invalid_token")
                assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"scopes": ["read"]}, "name"),
        ({"name": " ", "scopes": ["read"]}, "name"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["admin"]}, "scopes"),
        ({"name": "x", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "x", "scopes": ["read"], "expires_at": "2999-01-01T00:00:00"}, "expires_at"),
    ],
)
def test_what_is_wrong_is_named(ana: Person, body: Json, place: str) -> None:
    problem = problem_of(ana.http.post("api-keys", json=body), 422, "validation_error")
    assert problem["errors"][0]["loc"][:2] == ["body", place]


def test_a_user_has_so_many(sandbox: RunningSandbox, new_database: Callable[[], str]) -> None:
    with (
        serving(settings_for(sandbox, new_database()), worker=False) as url,
        signed_in(url, "ana@renum.example") as client,
    ):
        ana = Person(client)
        for _ in range(50):
            make(ana, "read")
        answer = client.post("api-keys", json={"name": "x", "scopes": ["read"]})
        problem_of(answer, 429, "too_many_api_keys")


def test_a_key_follows_the_stream_for_as_long_as_it_holds(
    ana: Person, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_keys, "_ASKED_AGAIN", timedelta(seconds=1))
    made, runner = make(ana, "read"), make(ana, "execute")
    socket_url = f"{url.replace('http', 'ws')}/api/v1/ws"

    def header(key: Json) -> dict[str, str]:
        return {"Authorization": f"Bearer {key['key']}"}

    with connect(socket_url, additional_headers=header(runner)) as socket:
        assert close_code(socket) == 4403
    with (
        connect(socket_url, additional_headers=header(made), max_queue=None) as socket,
        machine(url, made["key"]) as client,
        client.sse(f"{url}/api/v1/events", timeout=20) as events,
    ):
        assert receive(socket)["type"] == "connected"
        stream = iter(events)
        next(stream)
        # Longer than it is believed without being asked again.
        time.sleep(2.5)
        socket.send('{"type": "ping"}')
        while receive(socket)["type"] != "pong":
            pass
        checked(ana.http.delete(f"api-keys/{made['id']}"), 204)
        assert close_code(socket) == 4401
        assert all("token_expiring" not in event.data for event in stream)  # and it ends


def test_a_fresh_token_takes_the_place_of_a_key_that_is_being_asked_about(
    sandbox: RunningSandbox, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_keys, "_ASKED_AGAIN", timedelta(seconds=1))
    database_url = new_database()
    with (
        serving(settings_for(sandbox, database_url), worker=False) as url,
        signed_in(url, "ana@renum.example") as client,
        psycopg.connect(database_url, autocommit=True) as watcher,
        psycopg.connect(database_url) as locker,
    ):
        key = make(Person(client), "read")["key"]
        header = {"Authorization": f"Bearer {key}"}
        with connect(f"{url.replace('http', 'ws')}/api/v1/ws", additional_headers=header) as socket:
            assert receive(socket)["type"] == "connected"
            locker.execute("LOCK TABLE renum.api_keys")

            def asking() -> int:
                waiting = watcher.execute(
                    """
                    SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                     WHERE NOT granted AND datname = current_database()
                    """
                )
                (count,) = waiting.fetchone() or (0,)
                return int(count)

            until(asking)
            token = client.headers["Authorization"].removeprefix("Bearer ")
            socket.send(json.dumps({"type": "authenticate", "data": {"token": token}}))
            assert receive(socket)["type"] == "authenticated"
            locker.execute("DELETE FROM renum.api_keys")
            locker.commit()
            with machine(url, key) as gone:
                problem_of(gone.get("teams"), 401, "invalid_token")
            for _ in range(3):
                checked(client.get("auth/me"), 200)
                socket.send('{"type": "ping"}')
                assert receive(socket)["type"] == "pong"
