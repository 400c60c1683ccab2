"""Agents are kept apart by account, fetched once for all, and shown however odd they are."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.core.settings import Settings
from app.domain.agents import SunaRefused, SunaUnavailable
from app.domain.users import Identity, User
from app.infra.suna.connect import connect
from app.infra.suna.directory import MAX_ACCOUNTS, AgentLists, SunaAgentDirectory
from app.infra.suna.http import SunaHttp
from tests.builders import NOON
from tests.supabase.server import Scripted


def listing(*agents: dict[str, Any]) -> dict[str, Any]:
    return {"agents": list(agents), "pagination": {"pages": 1}}


def agent(**values: object) -> dict[str, object]:
    return {"agent_id": str(uuid4()), "name": "Editor", **values}


def identity(token: str) -> Identity:
    user = User(id=uuid4(), email="a@b.example", name="A")
    return Identity(user=user, session_id=None, expires_at=NOON, token=token)


async def test_many_who_ask_at_once_cost_one_request(http: SunaHttp, server: Scripted) -> None:
    server.will_answer(200, listing(agent()))
    server.go_on.clear()
    agents = SunaAgentDirectory(http, AgentLists().of(None))
    asking = [asyncio.create_task(agents.list()) for _ in range(50)]
    while not server.asked:
        await asyncio.sleep(0.005)
    server.go_on.set()
    assert len({id(listed.agents) for listed in await asyncio.gather(*asking)}) == 1
    assert len(server.asked) == 1


async def test_with_an_account_each_nobody_sees_the_agents_of_another(server: Scripted) -> None:
    settings = Settings(_env_file=None, suna_api_url=f"{server.url}/v1", suna_auth_mode="forward")
    server.will_answer(200, listing(agent(name="Ana's")))
    server.will_answer(200, listing(agent(name="Bruno's")))
    ana, bruno = identity("token-a"), identity("token-b")
    async with connect(settings) as suna:
        for who, name in ((ana, "Ana's"), (bruno, "Bruno's"), (ana, "Ana's")):
            listed = await suna.agents(who).list()
            assert [a.name for a in listed.agents] == [name]
    assert [a.headers["Authorization"] for a in server.asked] == [
        "Bearer token-a",
        "Bearer token-b",
    ]
    assert all("X-API-Key" not in a.headers for a in server.asked)


async def test_with_one_key_everybody_shares_one_list(server: Scripted) -> None:
    settings = Settings(_env_file=None, suna_api_url=f"{server.url}/v1", suna_api_key="pk_a:sk_b")
    server.will_answer(200, listing(agent()), **{"Set-Cookie": "who=ana"})
    async with connect(settings) as suna:
        await suna.agents(identity("token-a")).list()
        await suna.agents(identity("token-b")).list()
        await suna.health()
    assert [a.path for a in server.asked] == ["/v1/agents?page=1&limit=100", "/v1/health"]
    assert "Authorization" not in server.asked[0].headers
    assert "Cookie" not in server.asked[1].headers


def test_the_lists_of_so_many_accounts_are_kept_and_of_no_more() -> None:
    lists = AgentLists()
    accounts = [UUID(int=n) for n in range(MAX_ACCOUNTS + 10)]
    first = lists.of(accounts[0])
    for account in accounts:
        lists.of(account)
        assert lists.of(accounts[0]) is first, "whoever asks stays"
    assert lists.of(accounts[-1]) is lists.of(accounts[-1])
    assert len(lists._lists) == MAX_ACCOUNTS


async def test_a_list_is_stale_for_ten_minutes_and_then_gone(
    http: SunaHttp, server: Scripted
) -> None:
    now = 0.0
    agents = SunaAgentDirectory(http, AgentLists(clock=lambda: now).of(None))
    server.will_answer(200, listing(agent()))
    await agents.list()
    server.answers.clear()
    server.will_answer(503, {}, **{"Retry-After": "60"})
    for at, stale in ((29.0, False), (31.0, True), (599.0, True)):
        now = at
        assert (await agents.list()).stale is stale
    now = 601.0
    with pytest.raises(SunaUnavailable):
        await agents.list()


async def test_odd_agents_are_shown_as_far_as_they_go(http: SunaHttp, server: Scripted) -> None:
    server.will_answer(
        200,
        listing(
            agent(name="a", metadata={"category": ["x"]}, tags="marketing"),
            agent(name="b", metadata={"category": 7}, tags=["writing"]),
            agent(name=None, agentpress_tools={"web": True, "off": {"enabled": False}}),
            {"name": "without an id"},
            agent(name="NUL \0", description=None),
        ),
    )
    listed = (await SunaAgentDirectory(http, AgentLists().of(None)).list()).agents
    assert [(a.name, a.category, a.capabilities) for a in listed] == [
        ("a", None, ()),
        ("b", "writing", ()),
        ("NUL \N{REPLACEMENT CHARACTER}", None, ()),
        ("Unnamed agent", None, ("web",)),
    ]


async def test_a_base_that_has_no_agents_is_named(http: SunaHttp, server: Scripted) -> None:
    server.will_answer(404, {})
    with pytest.raises(SunaRefused, match="SUNA_API_URL"):
        await SunaAgentDirectory(http, AgentLists().of(None)).list()
