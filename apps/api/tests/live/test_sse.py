"""`GET /events` and `GET /executions/{id}/events`: the log as a stream, and as pages."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import psycopg
import pytest

from app.api.live import sse
from renum_sandbox.testing import running_sandbox
from tests.live.client import Live, durable, receive, sign_in
from tests.serving import serving, settings_for

JSON = {"Accept": "application/json"}


def stored(events: Iterator[httpx2.ServerSentEvent]) -> httpx2.ServerSentEvent:
    """The next event of the log: an agent of another test may be talking in between."""
    return next(e for e in events if "id" in message(e))


def message(event: httpx2.ServerSentEvent) -> dict[str, Any]:
    return json.loads(event.data)


def test_a_user_is_told_everything_from_now_on(live: Live) -> None:
    live.make_team("Before")
    with live.events() as events, live.socket() as socket:
        first = next(events)
        assert message(first)["type"] == "connected"
        assert first.id == str(message(first)["data"]["last_event_id"])
        assert first.retry == 1000
        assert receive(socket)["type"] == "connected"
        live.make_team("After")
        told = stored(events)
        assert told.id == str(int(first.id) + 1)
        # The very message of the WebSocket.
        assert message(told) == durable(socket, lambda _: True)[0]


def test_who_was_away_resumes_with_last_event_id_or_after(live: Live) -> None:
    with live.events() as events:
        last = next(events).id
    assert last is not None
    for name in ("One", "Two", "Three"):
        live.make_team(name)
    expected = [str(int(last) + n) for n in (1, 2, 3)]
    with live.events(last_event_id=last) as events:
        assert message(next(events))["data"]["last_event_id"] == int(last)
        assert [stored(events).id for _ in range(3)] == expected
    with live.events(f"/events?after={last}") as events:
        next(events)
        assert [stored(events).id for _ in range(3)] == expected
    # The header is what a browser adds to an address that it was given before.
    with live.events(f"/events?after={last}", last_event_id=expected[0]) as events:
        next(events)
        assert stored(events).id == expected[1]


def test_one_may_ask_for_some_types_only(live: Live) -> None:
    with live.events() as events:
        last = next(events).id
    team_id = live.make_team()
    execution_id = live.run(team_id)
    live.wait_for(execution_id)
    path = f"/events?after={last}&types=agent_started&types=new_notification"
    with live.events(path) as events:
        next(events)
        told: list[str] = []
        while "new_notification" not in told:  # what other tests began may end meanwhile
            told += types_about(execution_id, [message(next(events))])
    assert told == ["agent_started", "new_notification"]
    page = live.client.get(path, headers=JSON).json()
    assert types_about(execution_id, page["events"]) == told
    assert live.client.get("/events?types=dance").status_code == 422


def types_about(execution_id: str, messages: list[dict[str, Any]]) -> list[str]:
    return [m["type"] for m in messages if execution_id in json.dumps(m)]


def test_an_execution_is_told_from_its_first_event_to_its_end(live: Live) -> None:
    other = live.run(live.make_team("Other"))
    execution_id = live.run(live.make_team())
    live.wait_for(other)
    path = f"/executions/{execution_id}/events"
    with live.events(path) as events:
        told = list(events)  # it ends by itself
    assert message(told[0])["type"] == "connected"
    *_, end = told
    assert message(end)["type"] == "stream_end"
    assert message(end)["data"]["execution_id"] == execution_id
    assert message(end)["data"]["status"] == "completed"
    numbered = [message(t) for t in told[1:-1] if "id" in message(t)]
    assert [m["data"]["seq"] for m in numbered] == list(range(1, len(numbered) + 1))
    assert {m["data"]["execution_id"] for m in numbered} == {execution_id}
    snapshot = live.client.get(f"/executions/{execution_id}").json()
    assert numbered[-1]["data"]["seq"] == snapshot["seq"]
    # Again, now that it has ended: the same, from rows alone.
    with live.events(path) as events:
        again = [message(t) for t in events]
    assert [m for m in again if "id" in m] == numbered
    # A browser comes back after the end: nothing is left, and it stays away.
    answer = live.client.get(path, headers={"Last-Event-ID": str(end.id)})
    assert (answer.status_code, answer.content) == (204, b"")
    with live.events(path, last_event_id=str(numbered[2]["id"])) as events:
        rest = [message(t) for t in events if "id" in message(t)]
    assert rest == numbered[3:]


@pytest.mark.parametrize("ending", ["failed", "cancelled"])
def test_every_ending_ends_the_stream(live: Live, ending: str) -> None:
    if ending == "failed":
        execution_id = live.run(live.make_team(), "[[fail]]")
    else:
        execution_id = live.run(live.make_team(), "[[sleep=60]]")
        live.client.post(f"/executions/{execution_id}/cancel")
    with live.events(f"/executions/{execution_id}/events") as events:
        end = list(events)[-1]
    assert message(end)["type"] == "stream_end"
    assert message(end)["data"]["status"] == ending


def test_the_log_is_read_page_by_page(live: Live) -> None:
    execution_id = live.run(live.make_team())
    live.wait_for(execution_id)
    for path in ("/events", f"/executions/{execution_id}/events"):
        whole = live.client.get(f"{path}?limit=1000", headers=JSON).json()
        assert not whole["has_more"]
        pages, after = [], None
        while True:
            query = {"limit": 5} if after is None else {"limit": 5, "after": after}
            page = live.client.get(path, params=query, headers=JSON).json()
            pages += page["events"]
            after = page["next_after"]
            if not page["has_more"]:
                break
        assert pages == whole["events"]
        assert [e["id"] for e in pages] == sorted({e["id"] for e in pages})
        assert page["last_event_id"] >= after >= pages[-1]["id"]
        # Nothing new: an empty page, and where to go on from.
        empty = live.client.get(path, params={"after": after}, headers=JSON).json()
        assert (empty["events"], empty["next_after"]) == ([], after)
    assert {e["data"]["execution_id"] for e in pages} == {execution_id}


def test_a_heartbeat_carries_the_id_to_resume_with(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT_S", 1)
    with live.events("/events?types=new_notification") as events:
        assert message(next(events))["data"]["heartbeat_s"] == 1
        live.make_team()  # not wanted, and looked at all the same
        page = live.client.get("/events?limit=1000", headers=JSON).json()
        while (heartbeat := next(events)).id != str(page["last_event_id"]):
            assert message(heartbeat)["type"] == "heartbeat"
    assert message(heartbeat)["data"]["last_event_id"] == page["last_event_id"]


def test_what_is_not_there_is_said_precisely(live: Live, tokens: dict[str, str]) -> None:
    nowhere = "/executions/0199c4f6-7d3e-7a51-9c55-0f6f3f6d2b11/events"
    for headers in ({}, JSON):
        answer = live.client.get(nowhere, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "execution_not_found")
        answer = live.client.get("/events?after=999999", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (410, "resync_required")
        assert answer.json()["oldest_event_id"] == 1
        for query in ("after=-1", "after=x", f"after={2**63}"):
            answer = live.client.get(f"/events?{query}", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
    assert live.client.get("/events", headers={"Last-Event-ID": "x"}).status_code == 422
    # Another user's execution does not exist, and another user's ids mean nothing.
    execution_id = live.run(live.make_team())
    bruno = {"Authorization": f"Bearer {tokens['bruno']}"}
    for headers in (bruno, bruno | JSON):
        answer = live.client.get(f"/executions/{execution_id}/events", headers=headers)
        assert answer.status_code == 404
    page = live.client.get("/events", headers=bruno | JSON).json()
    assert page["events"] == []
    assert httpx2.get(f"{live.url}/api/v1/events").status_code == 401


def test_streams_count_as_connections(live: Live) -> None:
    with live.events() as one, live.events() as two, live.socket() as three:
        next(one), next(two), receive(three)
        answer = live.client.get("/events")
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_connections")
    # And are counted no longer when they are gone.
    deadline = 100
    while httpx2.get(f"{live.url}/health/services").json()["services"]["websocket"]["connections"]:
        deadline -= 1
        assert deadline, "a seat is still taken"
        threading.Event().wait(0.1)


def test_what_is_kept_no_longer_is_gone(
    new_database: Callable[[], str],
) -> None:
    database_url = new_database()
    with (
        running_sandbox(speed=0.0) as sandbox,
        serving(settings_for(sandbox, database_url)) as url,
        httpx2.Client(base_url=f"{url}/api/v1") as client,
    ):
        token = sign_in(url, "ana")
        client.headers["Authorization"] = f"Bearer {token}"
        live = Live(url, token, client)
        execution_id = live.run(live.make_team())
        live.wait_for(execution_id)
        with psycopg.connect(database_url) as connection:
            connection.execute("DELETE FROM renum.events WHERE id <= 4")
        for path in (f"/executions/{execution_id}/events", "/events?after=2"):
            for headers in ({}, JSON):
                answer = client.get(path, headers=headers)
                assert answer.status_code == 410
                assert answer.json()["oldest_event_id"] == 5
        with live.events("/events?after=4") as events:
            next(events)
            assert stored(events).id == "5"


def test_a_stream_ends_with_its_token_and_says_so(new_database: Callable[[], str]) -> None:
    with (
        running_sandbox(speed=0.0, access_token_s=2) as sandbox,
        serving(settings_for(sandbox, new_database()), worker=False) as url,
        httpx2.Client(base_url=f"{url}/api/v1") as client,
    ):
        token = sign_in(url, "ana")
        client.headers["Authorization"] = f"Bearer {token}"
        with Live(url, token, client).events() as events:
            told = [message(e)["type"] for e in events]
    assert told == ["connected", "token_expiring"]


def test_a_restart_ends_streams_cleanly(new_database: Callable[[], str]) -> None:
    told: list[str] = []
    connected = threading.Event()

    def follow(url: str) -> None:
        token = sign_in(url, "ana")
        headers = {"Authorization": f"Bearer {token}"}
        with (
            httpx2.Client(base_url=f"{url}/api/v1", headers=headers) as client,
            Live(url, token, client).events() as events,
        ):
            for event in events:
                told.append(message(event)["type"])
                connected.set()

    with running_sandbox(speed=0.0) as sandbox:
        with serving(settings_for(sandbox, new_database()), worker=False) as url:
            follower = threading.Thread(target=follow, args=(url,))
            follower.start()
            assert connected.wait(20)
        follower.join(20)
    assert not follower.is_alive()
    assert told == ["connected"]


def test_messages_are_one_line_each(live: Live) -> None:
    """A line break in a text must not end its line in the stream."""
    live.make_team("Line\nbreak\r and \u2028 separator")
    page = live.client.get("/events?limit=1000", headers=JSON).json()
    last = page["events"][-1]
    with live.events(f"/events?after={last['id'] - 1}") as events:
        next(events)
        told = stored(events)
    assert message(told) == last
    assert json.loads(told.data)["data"]["name"].startswith("Line\nbreak")
