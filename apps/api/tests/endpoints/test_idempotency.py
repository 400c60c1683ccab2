"""`Idempotency-Key`: sent twice, done once (api.md §1)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx2
import psycopg
import pytest

from app.infra.db.database import PostgresDatabase, create_pool
from app.usecases.retention import prune_idempotency_keys
from renum_sandbox.testing import RunningSandbox
from tests.endpoints.people import OUTLINE, Json, Person, checked, problem_of, signed_in
from tests.serving import serving, settings_for


def team_body(name: str = "Once") -> Json:
    return {
        "name": name,
        "workflow_type": "sequential",
        "agents": [{"agent_id": OUTLINE}],
    }


def run_body(prompt: str = "Sell product X") -> Json:
    return {"input_data": {"prompt": prompt}}


def send(person: Person, path: str, key: str, body: Json | None) -> httpx2.Response:
    return person.http.post(path, json=body, headers={"Idempotency-Key": key})


def assert_replayed(again: httpx2.Response, first: httpx2.Response) -> None:
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert (again.status_code, again.content) == (first.status_code, first.content)
    for name in ("location", "etag"):
        assert again.headers.get(name) == first.headers.get(name)


def test_a_team_is_made_once(ana: Person) -> None:
    key = str(uuid4())
    first = send(ana, "teams", key, team_body())
    checked(first, 201)
    assert_replayed(send(ana, "teams", key, team_body()), first)
    # The same JSON in other bytes is the same request.
    other = {k: team_body()[k] for k in reversed(team_body())}
    assert_replayed(send(ana, "teams", key, other), first)


def test_an_execution_begins_once_and_the_first_answer_stands(ana: Person) -> None:
    team, key = ana.team(), str(uuid4())
    path = f"teams/{team['id']}/execute"
    first = send(ana, path, key, run_body())
    execution_id = checked(first, 202)["execution_id"]
    ana.wait(execution_id)
    # It has completed meanwhile; what was said then is said again.
    again = send(ana, path, key, run_body())
    assert_replayed(again, first)
    assert again.json()["status"] == "running"
    page = checked(ana.http.get("executions", params={"team_id": team["id"]}), 200)
    assert page["pagination"]["total"] == 1
    # Also when nothing could be executed any more.
    checked(ana.http.delete(f"teams/{team['id']}"), 204)
    assert_replayed(send(ana, path, key, run_body()), first)


def test_a_retry_is_done_once(ana: Person) -> None:
    failed = ana.execute(ana.team(), "[[fail]]", retry_failed=False)["execution_id"]
    ana.wait(failed)
    key = str(uuid4())
    first = send(ana, f"executions/{failed}/retry", key, None)
    checked(first, 202)
    assert_replayed(send(ana, f"executions/{failed}/retry", key, None), first)


def test_another_request_under_the_same_key_is_refused(ana: Person) -> None:
    team, key = ana.team(), str(uuid4())
    path = f"teams/{team['id']}/execute"
    checked(send(ana, path, key, run_body()), 202)
    problem = problem_of(send(ana, path, key, run_body("Other")), 422, "idempotency_key_reused")
    assert problem["errors"] == []
    problem_of(
        send(ana, f"teams/{ana.team()['id']}/execute", key, run_body()),
        422,
        "idempotency_key_reused",
    )
    problem_of(send(ana, "teams", key, team_body()), 422, "idempotency_key_reused")


def test_keys_of_others_are_nobodys_business(ana: Person, bruno: Person) -> None:
    key = str(uuid4())
    mine = checked(send(ana, "teams", key, team_body()), 201)
    theirs = send(bruno, "teams", key, team_body())
    assert checked(theirs, 201)["id"] != mine["id"]
    assert "idempotency-replayed" not in theirs.headers


def test_what_fails_leaves_the_key_free(ana: Person) -> None:
    key = str(uuid4())
    unknown = team_body() | {"agents": [{"agent_id": str(uuid4())}]}
    problem_of(send(ana, "teams", key, unknown), 422, "unknown_agent")
    checked(send(ana, "teams", key, team_body()), 201)


NO_JSON = {
    "text": b"retry, please",
    "not UTF-8": b"\xff\xfe",
    "too deep": b"[" * 100_000,
    "too long a number": b"1" * 5_000,
}


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
@pytest.mark.parametrize("kind", ["application/json", "text/plain", None])
def test_a_body_that_is_no_json_is_refused_as_without_a_key(
    ana: Person, body: bytes, kind: str | None
) -> None:
    headers = {"Content-Type": kind} if kind else {}
    with_key = headers | {"Idempotency-Key": str(uuid4())}
    plain, keyed = (ana.http.post("teams", content=body, headers=h) for h in (headers, with_key))
    assert checked(keyed, 422)["errors"] == checked(plain, 422)["errors"]
    assert keyed.json()["code"] == plain.json()["code"]


def test_a_body_that_is_as_deep_as_can_be_read_is_no_error_of_ours(ana: Person) -> None:
    # Somewhere here the parser gives up, not everywhere in the same place.
    for depth in range(900, 1_000):
        body = b'{"x": ' + b"[" * depth + b"]" * depth + b"}"
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid4())}
        assert ana.http.post("teams", content=body, headers=headers).status_code == 422


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
def test_where_no_body_is_read_any_will_do(ana: Person, body: bytes) -> None:
    failed = ana.execute(ana.team(), "[[fail]]", retry_failed=False)["execution_id"]
    ana.wait(failed)
    headers = {"Idempotency-Key": str(uuid4())}
    path = f"executions/{failed}/retry"
    first = ana.http.post(path, content=body, headers=headers)
    checked(first, 202)
    assert_replayed(ana.http.post(path, content=body, headers=headers), first)
    problem_of(send(ana, path, headers["Idempotency-Key"], None), 422, "idempotency_key_reused")


def test_ten_at_once_are_one(ana: Person) -> None:
    team, key = ana.team(), str(uuid4())
    path = f"teams/{team['id']}/execute"
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: send(ana, path, key, run_body()), range(10)))
    started = {a.json()["execution_id"] for a in answers if a.status_code == 202}
    assert len(started) == 1
    for answer in answers:
        if answer.status_code != 202:
            problem_of(answer, 409, "idempotency_key_in_progress")
            assert answer.headers["retry-after"] == "1"
    page = checked(ana.http.get("executions", params={"team_id": team["id"]}), 200)
    assert page["pagination"]["total"] == 1


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "ção"])
def test_a_key_is_visible_ascii(ana: Person, key: str) -> None:
    headers = {"Idempotency-Key": key.encode()}
    answer = ana.http.post("teams", json=team_body(), headers=headers)
    problem = problem_of(answer, 422, "validation_error")
    assert problem["errors"][0]["loc"] == ["header", "idempotency-key"]


def test_first_in_flight_is_said_and_a_day_later_it_is_forgotten(
    sandbox: RunningSandbox, new_database: Callable[[], str]
) -> None:
    database_url = new_database()
    with (
        serving(settings_for(sandbox, database_url), worker=False) as url,
        signed_in(url, "ana@renum.example") as client,
        psycopg.connect(database_url) as connection,
    ):
        ana, key = Person(client), str(uuid4())
        user_id = checked(client.get("auth/me"), 200)["id"]
        connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            (f"idempotency {user_id} {key}",),
        )
        problem_of(send(ana, "teams", key, team_body()), 409, "idempotency_key_in_progress")
        connection.rollback()
        first = send(ana, "teams", key, team_body())
        checked(first, 201)
        connection.execute("UPDATE renum.idempotency_keys SET created_at = now() - interval '25 h'")
        connection.commit()
        second = send(ana, "teams", key, team_body("Another"))
        assert checked(second, 201)["id"] != first.json()["id"]
        assert_replayed(send(ana, "teams", key, team_body("Another")), second)


async def test_old_answers_go(new_database: Callable[[], str]) -> None:
    url = new_database()
    now = datetime.now(UTC)
    async with create_pool(url, size=1) as pool:
        db = PostgresDatabase(pool)
        with psycopg.connect(url) as connection:
            for hours in (23, 25):
                connection.execute(
                    "INSERT INTO renum.idempotency_keys VALUES (%s, 'k', '', 201, '/', '', %s)",
                    (uuid4(), now - timedelta(hours=hours)),
                )
        assert await prune_idempotency_keys(db, now=now) == 1
        assert await prune_idempotency_keys(db, now=now) == 0
