"""`WS /api/v1/ws` as a client meets it: api.md §7."""

import asyncio
import itertools
import json
import time
from collections.abc import Callable
from uuid import UUID, uuid4

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed

from app.api.live import session
from app.domain.events import TeamUpdated
from app.infra.db.database import PostgresDatabase, create_pool
from app.infra.websocket import watcher
from renum_sandbox.testing import running_sandbox
from tests.live.client import Live, close_code, durable, ends, receive, sign_in
from tests.serving import serving, settings_for


def test_a_run_is_told_live_in_order_and_without_a_gap(live: Live) -> None:
    team_id = live.make_team()
    with live.socket() as socket:
        connected = receive(socket)
        assert connected["type"] == "connected"
        head = connected["data"]["last_event_id"]
        execution_id = live.run(team_id)
        events = durable(socket, ends)
    assert [e["id"] for e in events] == list(range(head + 1, head + 1 + len(events)))
    types = [e["type"] for e in events if e["type"] != "execution_log"]
    assert types == [
        "execution_status_update",
        "agent_started",
        "execution_status_update",
        "agent_completed",
        "new_notification",
        "execution_status_update",
    ]
    assert all(e["data"].get("execution_id", execution_id) == execution_id for e in events)
    snapshot = live.client.get(f"/executions/{execution_id}").json()
    assert events[-1]["data"]["progress"] == snapshot["progress"]
    assert events[-1]["data"]["seq"] == snapshot["seq"]


def test_a_client_that_was_away_resumes_where_it_was(live: Live) -> None:
    team_id = live.make_team()
    with live.socket() as socket:
        last = receive(socket)["data"]["last_event_id"]
    for _ in range(3):
        live.run(team_id)
    with live.socket(f"?last_event_id={last}") as socket:
        assert receive(socket)["type"] == "connected"
        seen = []
        while sum(ends(e) for e in seen) < 3:
            seen += durable(socket, lambda _: True)
    assert [e["id"] for e in seen] == list(range(last + 1, last + 1 + len(seen)))


def test_two_watchers_see_the_same(live: Live) -> None:
    team_id = live.make_team()
    with live.socket() as one, live.socket() as two:
        receive(one), receive(two)
        live.run(team_id)
        assert durable(one, ends) == durable(two, ends)


def test_what_an_agent_says_comes_while_it_runs(live: Live) -> None:
    team_id = live.make_team()
    with live.socket() as socket:
        receive(socket)
        execution_id = live.run(team_id)
        # Live text has no place in the order of events: that of an earlier run may come late.
        message = receive(socket)
        while message["type"] != "agent_output" or message["data"]["execution_id"] != execution_id:
            message = receive(socket)
        assert "id" not in message
        assert message["data"]["offset"] == 0
        assert message["data"]["text"]


def test_pieces_of_what_an_agent_says_fit_its_answer(live: Live) -> None:
    team_id = live.make_team()
    with live.socket() as socket:
        receive(socket)
        # Long enough that pieces are on their way before the run has ended.
        execution_id = live.run(team_id, "Sell oat milk [[sleep=0.5]]")
        pieces = []
        while not ends(message := receive(socket)):
            if (
                message["type"] == "agent_output"
                and message["data"]["execution_id"] == execution_id
            ):
                pieces.append((message["data"]["offset"], message["data"]["text"]))
    output = live.wait_for(execution_id)["results"][0]["output"]
    assert pieces
    for offset, text in pieces:
        assert output[offset : offset + len(text)] == text
    # In order, and none twice; a piece may be missing, as they are told and not stored.
    assert all(o + len(t) <= o2 for (o, t), (o2, _) in itertools.pairwise(pieces))


def test_teams_are_told(live: Live) -> None:
    with live.socket() as socket:
        receive(socket)
        team_id = live.make_team("Told")
        live.client.put(f"/teams/{team_id}", json={"description": "new"})
        live.client.delete(f"/teams/{team_id}")
        told = [durable(socket, lambda _: True)[0] for _ in range(3)]
    assert [e["type"] for e in told] == ["team_updated"] * 3
    assert [e["data"]["action"] for e in told] == ["created", "updated", "deleted"]
    assert [e["data"]["version"] for e in told] == [1, 2, 2]


def test_nobody_sees_what_is_another_users(live: Live, tokens: dict[str, str]) -> None:
    with live.socket("?last_event_id=0", token=tokens["bruno"]) as socket:
        assert receive(socket)["data"]["last_event_id"] == 0
        live.make_team("Secret")
        socket.send('{"type": "ping"}')
        assert receive(socket)["type"] == "pong"


def test_a_browser_signs_in_by_subprotocol(live: Live) -> None:
    protocols = ["renum.v1", f"bearer.{live.token}"]
    with live.socket(token="", subprotocols=protocols) as socket:
        assert socket.subprotocol == "renum.v1"
        assert receive(socket)["type"] == "connected"


def test_the_first_message_may_sign_in_and_resume(live: Live) -> None:
    live.make_team()
    with live.socket(token="") as socket:
        data = {"token": live.token, "last_event_id": 0}
        socket.send(json.dumps({"type": "authenticate", "data": data}))
        assert receive(socket)["type"] == "connected"
        assert receive(socket)["id"] == 1


def test_a_fresh_token_is_taken_on_the_way(live: Live, url: str, tokens: dict[str, str]) -> None:
    with live.socket() as socket:
        receive(socket)
        again = {"token": sign_in(url, "ana")}
        socket.send(json.dumps({"type": "authenticate", "data": again}))
        # An agent of another test may still be talking.
        while (kind := receive(socket)["type"]) != "authenticated":
            assert kind == "agent_output"
        socket.send(json.dumps({"type": "authenticate", "data": {"token": tokens["bruno"]}}))
        assert close_code(socket) == 4401


def test_a_bad_token_is_turned_away(live: Live) -> None:
    with live.socket(token="nonsense") as socket:
        assert close_code(socket) == 4401


def test_a_foreign_origin_is_turned_away_and_ours_is_not(live: Live) -> None:
    with live.socket(headers={"Origin": "https://evil.example"}) as socket:
        assert close_code(socket) == 4403
    with live.socket(headers={"Origin": "https://front.example"}) as socket:
        assert receive(socket)["type"] == "connected"


def test_an_id_from_nowhere_asks_for_a_new_snapshot_and_goes_on_live(live: Live) -> None:
    with live.socket("?last_event_id=999999") as socket:
        error = receive(socket)
        assert error["type"] == "error"
        assert error["data"]["code"] == "resync_required"
        assert error["data"]["oldest_event_id"] >= 1
        assert receive(socket)["type"] == "connected"


def test_malformed_messages_are_answered_but_not_for_ever(live: Live) -> None:
    with live.socket() as socket:
        receive(socket)
        for message in ("nonsense", '{"type": "dance"}', "[]"):
            socket.send(message)
            assert receive(socket)["data"]["code"] == "malformed_message"
        socket.send('{"type": "ping"}')
        assert receive(socket)["type"] == "pong"
        for _ in range(10):
            socket.send("{")
        assert close_code(socket) == 1008


def test_too_large_a_message_is_refused(live: Live) -> None:
    with live.socket() as socket:
        receive(socket)
        socket.send("x" * 70_000)
        assert close_code(socket) == 1009


def test_a_user_has_so_many_sockets_and_no_more(live: Live) -> None:
    with live.socket() as one, live.socket() as two, live.socket() as three:
        for socket in (one, two, three):
            receive(socket)
        with live.socket() as fourth:
            assert close_code(fourth) == 4429
    health = httpx2.get(f"{live.url}/health/services").json()
    assert health["services"]["websocket"]["status"] == "healthy"


def test_a_session_ends_with_its_token(new_database: Callable[[], str]) -> None:
    with (
        running_sandbox(speed=0.0, access_token_s=2) as sandbox,
        serving(settings_for(sandbox, new_database()), worker=False) as url,
        httpx2.Client() as client,
    ):
        live = Live(url, sign_in(url, "ana"), client)
        with live.socket() as socket:
            assert receive(socket)["type"] == "connected"
            assert receive(socket)["type"] == "token_expiring"
            assert close_code(socket) == 4401


def test_an_id_that_is_none_is_refused_and_an_empty_one_means_none(live: Live) -> None:
    for nonsense in ("x", "-1", "1.5", "²", "9" * 30):
        with live.socket(f"?last_event_id={nonsense}") as socket:
            assert close_code(socket) == 1008
    with live.socket("?last_event_id=") as socket:
        assert receive(socket)["type"] == "connected"


def test_a_token_in_the_address_counts_only_where_it_is_allowed(
    live: Live, new_database: Callable[[], str]
) -> None:
    with live.socket(f"?token={live.token}", token="") as socket:
        socket.send('{"type": "ping"}')
        assert receive(socket)["data"]["code"] == "unauthenticated"
    with (
        running_sandbox(speed=0.0) as sandbox,
        serving(
            settings_for(sandbox, new_database(), ws_allow_query_token=True), worker=False
        ) as url,
        httpx2.Client() as client,
    ):
        token = sign_in(url, "ana")
        with Live(url, token, client).socket(f"?token={token}", token="") as socket:
            assert receive(socket)["type"] == "connected"
        with Live(url, token, client).socket("?token=nonsense", token="") as socket:
            assert close_code(socket) == 4401


def test_who_says_nothing_is_not_waited_for(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "AUTHENTICATE_WITHIN_S", 0.2)
    with live.socket(token="") as socket:
        assert close_code(socket) == 4408


def test_a_heartbeat_says_how_far_the_log_is(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "HEARTBEAT_S", 1)
    with live.socket() as socket:
        assert receive(socket)["data"]["heartbeat_s"] == 1
        live.make_team()
        last = durable(socket, lambda _: True)[0]["id"]
        while (message := receive(socket))["type"] != "heartbeat":
            pass
        assert message["data"]["last_event_id"] == last


def test_a_socket_that_takes_nothing_is_let_go_and_resumes_without_a_gap(
    new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "HEARTBEAT_S", 1)
    monkeypatch.setattr(watcher, "MAX_WAITING", 50)
    database_url = new_database()
    with (
        running_sandbox(speed=0.0) as sandbox,
        serving(settings_for(sandbox, database_url), worker=False) as url,
        httpx2.Client() as client,
    ):
        live = Live(url, sign_in(url, "ana"), client)
        with live.socket(max_queue=1) as socket:
            user_id = UUID(receive(socket)["data"]["user_id"])
            for _ in range(40):
                asyncio.run(tell_much(database_url, user_id, 10))
            # It has fallen behind: all it gets is what was on its way, and the reason.
            time.sleep(2)
            seen = []
            while True:
                try:
                    message = json.loads(socket.recv(10))
                except ConnectionClosed as closed:
                    code = closed.rcvd and closed.rcvd.code
                    break
                seen += [message["id"]] if "id" in message else []
        assert code == 1013
        assert len(seen) < 400
        with live.socket(f"?last_event_id={seen[-1]}") as socket:
            seen += [e["id"] for e in durable(socket, lambda e: e["id"] == 400)]
    assert seen == list(range(1, 401))


async def tell_much(database_url: str, user_id: UUID, count: int) -> None:
    event = TeamUpdated(team_id=uuid4(), action="updated", name="x" * 10_000, version=1)
    async with (
        create_pool(database_url, size=1) as pool,
        PostgresDatabase(pool).transaction() as tx,
    ):
        await tx.events.append(user_id, [event] * count)
