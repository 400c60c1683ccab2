"""The port `AgentRuntime` over real HTTP, in every dialect."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import aiohttp
import pytest

from app.common.breaker import Breaker
from app.domain.agents import (
    AgentNotFound,
    RunLost,
    RunRef,
    RunStatus,
    StartUnknown,
    SunaBusy,
    SunaRefused,
    SunaUnavailable,
)
from app.infra.suna.credentials import ApiKey
from app.infra.suna.dialects import DialectFinder
from app.infra.suna.directory import AgentLists, SunaAgentDirectory
from app.infra.suna.http import SunaHttp
from app.infra.suna.runtime import Pace, SunaAgentRuntime
from app.infra.suna.threads import Start
from renum_sandbox.constants import SUNA_API_KEY
from renum_sandbox.testing import RunningSandbox, running_sandbox

BASES = {"initiate": "/api", "start": "/v1"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(speed=0.0) as running:
        yield running


@pytest.fixture(autouse=True)
def no_faults(sandbox: RunningSandbox) -> Iterator[None]:
    yield
    sandbox.clear_faults()


@pytest.fixture
async def session(sandbox: RunningSandbox) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def http_to(session: aiohttp.ClientSession, url: str, key: str = SUNA_API_KEY) -> SunaHttp:
    return SunaHttp(session, url, ApiKey(key), Breaker("suna"))


def speaking(session: aiohttp.ClientSession, http: SunaHttp) -> DialectFinder:
    return DialectFinder(session, http.base_url, "auto")


def directory_of(http: SunaHttp) -> SunaAgentDirectory:
    return SunaAgentDirectory(http, AgentLists().of(None))


@pytest.fixture(params=BASES)
def http(
    request: pytest.FixtureRequest, session: aiohttp.ClientSession, sandbox: RunningSandbox
) -> SunaHttp:
    return http_to(session, sandbox.url + BASES[request.param])


@pytest.fixture
def runtime(session: aiohttp.ClientSession, http: SunaHttp) -> SunaAgentRuntime:
    pace = Pace(poll=(0.01,), first_seconds=0.05, look_again=(0.01,))
    return SunaAgentRuntime(http, speaking(session, http), pace=pace)


@pytest.fixture
async def agents(http: SunaHttp) -> dict[str, UUID]:
    listing = await directory_of(http).list()
    return {a.name: a.id for a in listing.agents}


class Heard:
    def __init__(self) -> None:
        self.text = ""

    async def __call__(self, text: str) -> None:
        self.text += text


async def test_an_agent_runs_and_answers(
    runtime: SunaAgentRuntime, agents: dict[str, UUID]
) -> None:
    heard = Heard()
    run = await runtime.start(agents["Copywriter"], "Sell oat milk to cyclists", key=uuid4())
    state = await runtime.follow(run, heard)
    answer = await runtime.answer(run)
    assert state.status is RunStatus.COMPLETED
    assert "oat milk" in answer.text.lower()
    assert not answer.needs_input
    assert heard.text.strip()
    assert "<function_calls>" not in answer.text


async def test_every_agent_answers_clean_text(
    runtime: SunaAgentRuntime, agents: dict[str, UUID]
) -> None:
    for agent_id in agents.values():
        run = await runtime.start(agent_id, "Launch a bakery in Recife by May 3", key=uuid4())
        await runtime.follow(run, Heard())
        answer = await runtime.answer(run)
        assert len(answer.text) > 20
        assert "invoke" not in answer.text


async def test_a_question_is_seen(runtime: SunaAgentRuntime, agents: dict[str, UUID]) -> None:
    run = await runtime.start(agents["Copywriter"], "Sell [[ask]]", key=uuid4())
    assert (await runtime.follow(run, Heard())).status is RunStatus.COMPLETED
    assert (await runtime.answer(run)).needs_input


async def test_an_empty_answer_is_empty(runtime: SunaAgentRuntime, agents: dict[str, UUID]) -> None:
    run = await runtime.start(agents["Copywriter"], "Sell [[empty]]", key=uuid4())
    await runtime.follow(run, Heard())
    assert (await runtime.answer(run)).text == ""


async def test_a_failed_run_is_failed(runtime: SunaAgentRuntime, agents: dict[str, UUID]) -> None:
    run = await runtime.start(agents["Copywriter"], "Sell [[fail]]", key=uuid4())
    assert (await runtime.follow(run, Heard())).status is RunStatus.FAILED


async def test_an_unknown_agent_is_told(runtime: SunaAgentRuntime) -> None:
    with pytest.raises(AgentNotFound):
        await runtime.start(uuid4(), "Sell", key=uuid4())


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("429", SunaBusy),
        ("402-limit", SunaBusy),
        ("402-credits", SunaRefused),
        ("503", StartUnknown),
        ("500", StartUnknown),
    ],
)
async def test_a_refused_start_is_told_apart(
    runtime: SunaAgentRuntime,
    agents: dict[str, UUID],
    sandbox: RunningSandbox,
    fault: str,
    error: type[Exception],
) -> None:
    sandbox.fault("start", fault)
    with pytest.raises(error):
        await runtime.start(agents["Copywriter"], "Sell", key=uuid4())


async def test_a_start_whose_answer_is_lost_is_found(
    runtime: SunaAgentRuntime, agents: dict[str, UUID], sandbox: RunningSandbox
) -> None:
    key, prompt = uuid4(), f"Sell something quite unusual {uuid4()}"
    since = datetime.now(UTC)
    assert await runtime.find(agents["Copywriter"], prompt, key=key, since=since) == []
    sandbox.fault("start", "drop-answer")
    with pytest.raises(StartUnknown):
        await runtime.start(agents["Copywriter"], prompt, key=key)
    (found,) = await runtime.find(agents["Copywriter"], prompt, key=key, since=since)
    started = [s for s in sandbox.starts() if s["prompt"] == prompt]
    assert [s["run_id"] for s in started] == [found.run_id]


async def test_nobody_listening_means_surely_not_started(session: aiohttp.ClientSession) -> None:
    http = http_to(session, "http://127.0.0.1:9/v1")
    with pytest.raises(SunaUnavailable):
        await Start(optimistic=True).start(http, uuid4(), "Sell", uuid4())
    with pytest.raises(SunaUnavailable):
        await http.health()


@pytest.mark.parametrize("fault", ["500", "503", "429"])
async def test_following_survives_a_broken_stream(
    runtime: SunaAgentRuntime, agents: dict[str, UUID], sandbox: RunningSandbox, fault: str
) -> None:
    run = await runtime.start(agents["Copywriter"], "Sell", key=uuid4())
    sandbox.fault("stream", fault)
    assert (await runtime.follow(run, Heard())).status is RunStatus.COMPLETED


async def test_a_run_that_runs_is_stopped_and_one_that_ended_is_left_alone(
    runtime: SunaAgentRuntime, agents: dict[str, UUID]
) -> None:
    running = await runtime.start(agents["Copywriter"], "Sell [[sleep=60]]", key=uuid4())
    assert (await runtime.status(running)).status is RunStatus.RUNNING
    await runtime.stop(running)
    assert (await runtime.status(running)).status is RunStatus.STOPPED

    ended = await runtime.start(agents["Copywriter"], "Sell", key=uuid4())
    await runtime.follow(ended, Heard())
    await runtime.stop(ended)
    assert (await runtime.status(ended)).status is RunStatus.COMPLETED


async def test_a_run_nobody_knows_is_lost(runtime: SunaAgentRuntime) -> None:
    lost = RunRef(str(uuid4()), str(uuid4()))
    with pytest.raises(RunLost):
        await runtime.status(lost)
    with pytest.raises(RunLost):
        await runtime.follow(lost, Heard())


async def test_the_dialect_is_found(session: aiohttp.ClientSession, http: SunaHttp) -> None:
    assert BASES[(await speaking(session, http).find()).name] in http.base_url


async def test_no_dialect_is_a_clear_message(
    session: aiohttp.ClientSession, sandbox: RunningSandbox
) -> None:
    with pytest.raises(SunaRefused, match="SUNA_API_URL"):
        await DialectFinder(session, f"{sandbox.url}/elsewhere", "auto").find()


async def test_a_wrong_key_is_refused(sandbox: RunningSandbox) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(SunaRefused, match="SUNA_API_KEY"):
            await directory_of(http_to(session, f"{sandbox.url}/v1", "pk_x:sk_x")).list()


async def test_agents_are_cached_and_served_stale_while_suna_is_away(
    session: aiohttp.ClientSession, sandbox: RunningSandbox
) -> None:
    now = 0.0
    lists = AgentLists(clock=lambda: now)
    directory = SunaAgentDirectory(http_to(session, f"{sandbox.url}/v1"), lists.of(None))
    fresh = await directory.list()
    assert len(fresh.agents) == 6
    sandbox.fault("agents", "503", times=99)
    assert not (await directory.list()).stale
    now = 60.0
    assert (await directory.list()).stale
    now = 700.0
    with pytest.raises(SunaUnavailable):
        await directory.list()


async def test_one_agent_is_found_and_an_unknown_one_is_not(
    http: SunaHttp, agents: dict[str, UUID]
) -> None:
    directory = directory_of(http)
    editor = await directory.get(agents["Editor"])
    assert editor.name == "Editor"
    assert editor.capabilities
    with pytest.raises(AgentNotFound):
        await directory.get(uuid4())


async def test_since_leaves_out_older_threads(
    runtime: SunaAgentRuntime, agents: dict[str, UUID]
) -> None:
    prompt = f"Sell something {uuid4()}"
    await runtime.start(agents["Copywriter"], prompt, key=uuid4())
    later = datetime.now(UTC) + timedelta(minutes=1)
    # In the later dialect it is the key that nobody started with.
    assert await runtime.find(agents["Copywriter"], prompt, key=uuid4(), since=later) == []
