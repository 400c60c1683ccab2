"""Requests, answers and errors."""

import socket

import pytest

from renum import (
    ApiError,
    AsyncClient,
    Conflict,
    ConnectionFailed,
    InvalidRequest,
    NotFound,
    UnexpectedAnswer,
)

from .conftest import QUICK
from .server import Server
from .world import AGENTS, Fault, World, agent_id


@pytest.fixture
def nobody() -> str:
    """The URL of a port where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


async def test_agents_are_listed_searched_and_read(ana: AsyncClient) -> None:
    page = await ana.agents.list(search="editor")
    assert [agent.name for agent in page.agents] == ["Editor"]
    assert page.pagination is not None
    assert (await ana.agents.get(agent_id("Copywriter"))).capabilities == ["text_generation"]
    assert [agent.name async for agent in ana.agents.all()] == list(AGENTS)


async def test_a_team_lives_from_create_to_delete(ana: AsyncClient, world: World) -> None:
    spec = {
        "name": "Duo",
        "workflow_type": "pipeline",
        "agents": [{"agent_id": agent_id("Editor"), "role": "member", "order": 1}],
    }
    team = await ana.teams.create(spec, idempotency_key="once")
    assert world.headers[-1]["idempotency-key"] == "once"
    assert team.agents[0].agent_details is not None
    assert team.agents[0].agent_details.name == "Editor"

    assert (await ana.teams.update(team.id, {"name": "Two"}, version=1)).version == 2
    with pytest.raises(Conflict, match="Someone changed it"):
        await ana.teams.update(team.id, {"name": "Three"}, version=1)
    assert [team.name async for team in ana.teams.all()] == ["Two"]

    await ana.teams.delete(team.id)
    with pytest.raises(NotFound):
        await ana.teams.get(team.id)


async def test_all_reads_every_page(ana: AsyncClient, server: Server, world: World) -> None:
    for n in range(101):
        server.call(world.add_team, f"Team {n}")
    assert len([team async for team in ana.teams.all()]) == 101
    assert world.count("GET", "/teams") == 2


async def test_a_run_sends_only_what_was_chosen(
    ana: AsyncClient, server: Server, world: World
) -> None:
    team = server.call(world.add_team)
    run = await ana.teams.execute(team["id"], "Go", context={"a": 1}, parallel_limit=2)
    assert run.status == "running"
    assert world.bodies[-1] == {
        "input_data": {"prompt": "Go", "context": {"a": 1}},
        "execution_config": {"parallel_limit": 2},
    }
    found = await ana.executions.list(team_id=team["id"], status=["completed", "running"])
    assert [item.execution_id for item in found.executions] == [run.execution_id]
    with pytest.raises(Conflict):
        await ana.executions.cancel(run.execution_id)


async def test_notifications_are_listed_and_marked_read(ana: AsyncClient, world: World) -> None:
    world.notifications["n-1"] = {"id": "n-1", "type": "execution_completed", "read": False}
    assert (await ana.notifications.list(unread=True)).unread_count == 1
    assert (await ana.notifications.mark_read("n-1")).read is True


async def test_health_needs_no_login(client: AsyncClient) -> None:
    assert (await client.health()).status == "ok"


async def test_unknown_fields_of_an_answer_are_kept(ana: AsyncClient, world: World) -> None:
    world.agents[0]["colour"] = "green"
    agent = (await ana.agents.list()).agents[0]
    assert agent.model_dump(mode="json", exclude_unset=True)["colour"] == "green"


async def test_a_problem_says_where_the_input_is_wrong(ana: AsyncClient) -> None:
    spec = {"name": "X", "workflow_type": "sequential",
            "agents": [{"agent_id": "nobody", "role": "member", "order": 1}]}  # fmt: skip
    with pytest.raises(InvalidRequest, match="1 field is invalid") as caught:
        await ana.teams.create(spec)
    error = caught.value
    assert (error.status, error.code, error.request_id) == (422, "invalid_request", "req-1")
    assert [(field.path, field.code) for field in error.errors] == [
        ("agents[0].agent_id", "unknown_agent")
    ]


async def test_an_error_page_of_a_proxy_is_an_api_error_too(ana: AsyncClient, world: World) -> None:
    world.faults["GET /teams"].append(Fault(502, "<html>", {"X-Request-ID": "r-9"}))
    with pytest.raises(ApiError, match="Bad Gateway") as caught:
        await ana.teams.list()
    assert (caught.value.code, caught.value.request_id) == ("http_502", "r-9")


@pytest.mark.parametrize(
    ("body", "message"),
    [("<html>hello", "is it a Renum server"), ({"agents": []}, "teams: Field required")],
)
async def test_a_foreign_answer_is_named_as_such(
    ana: AsyncClient, world: World, body: object, message: str
) -> None:
    world.faults["GET /teams"].append(Fault(200, body))
    with pytest.raises(UnexpectedAnswer, match=message):
        await ana.teams.list()


async def test_reads_are_tried_again_after_503(ana: AsyncClient, world: World) -> None:
    busy = Fault.problem(503, "suna_unavailable")
    busy.headers["Retry-After"] = "0"
    world.faults["GET /agents"] += [Fault.problem(503, "suna_unavailable"), busy]
    assert len((await ana.agents.list()).agents) == len(AGENTS)
    assert world.count("GET", "/agents") == 3


async def test_a_long_retry_after_is_left_to_the_caller(ana: AsyncClient, world: World) -> None:
    busy = Fault.problem(503, "suna_unavailable", "Suna is away.")
    busy.headers["Retry-After"] = "120"
    world.faults["GET /agents"].append(busy)
    with pytest.raises(ApiError, match="Suna is away") as caught:
        await ana.agents.list()
    assert caught.value.retry_after_s == 120
    assert world.count("GET", "/agents") == 1


async def test_reads_are_tried_again_after_a_broken_connection(
    ana: AsyncClient, world: World
) -> None:
    world.faults["GET /teams"].append(Fault(broken=True))
    assert (await ana.teams.list()).teams == []


async def test_every_try_of_a_write_has_the_same_key(
    ana: AsyncClient, server: Server, world: World
) -> None:
    team = server.call(world.add_team)
    world.faults[f"POST /teams/{team['id']}/execute"] += [Fault(broken=True)] * QUICK.tries
    with pytest.raises(ConnectionFailed) as caught:
        await ana.teams.execute(team["id"], "Go")
    assert caught.value.sent is True
    keys = [headers["idempotency-key"] for headers in world.headers[-QUICK.tries :]]
    assert len(keys) == QUICK.tries
    assert len(set(keys)) == 1


async def test_a_write_without_a_key_is_sent_once(
    ana: AsyncClient, server: Server, world: World
) -> None:
    team = server.call(world.add_team)
    path = f"/teams/{team['id']}"
    world.faults[f"DELETE {path}"].append(Fault(broken=True))
    with pytest.raises(ConnectionFailed):
        await ana.teams.delete(team["id"])
    assert world.count("DELETE", path) == 1


async def test_an_absent_server_is_named_after_a_few_tries(nobody: str) -> None:
    async with AsyncClient(nobody, timing=QUICK) as client:
        with pytest.raises(ConnectionFailed, match=f"cannot reach {nobody}") as caught:
            await client.health()
    assert caught.value.sent is False


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("https://renum.example/", "https://renum.example"),
        ("http://host/base/api/v1/", "http://host/base"),
    ],
)
async def test_urls_are_taken_as_people_write_them(given: str, url: str) -> None:
    async with AsyncClient(given) as client:
        assert client.url == url


@pytest.mark.parametrize("given", ["ftp://host", "http://", "http://host:x"])
def test_a_wrong_url_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r"is not a"):
        AsyncClient(given)


async def test_an_id_cannot_leave_its_place_in_the_path(ana: AsyncClient, world: World) -> None:
    with pytest.raises(NotFound):
        await ana.teams.get("../agents?x")
    assert world.requests[-1][1].startswith("/teams/") or world.count("GET", "/agents") == 0
