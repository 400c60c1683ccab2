"""The port `AgentRuntime` over real HTTP: one suite on every dialect, with everything that Suna is
known to do to its clients (suna.md)."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import aiohttp
import pytest
import stamina

from app.common.breaker import Breaker, BreakerState
from app.domain.agents import (
    AgentNotFound,
    Answer,
    RunLost,
    RunRef,
    RunState,
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
from renum_sandbox.constants import DRAFT_AGENT_ID, REVIEW_AGENT_ID, SUNA_API_KEY
from renum_sandbox.testing import RunningSandbox, running_sandbox

BASES = {"initiate": "/api", "start-a2": "/a2/api", "start": "/v1", "execute": "/gateway/api"}
COPYWRITER, EDITOR = UUID(DRAFT_AGENT_ID), UUID(REVIEW_AGENT_ID)
PROMPT = "Sell oat milk to cyclists"
#: Suna's own; the gateway has neither streams nor threads.
SUNAS = [d for d in BASES if d != "execute"]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(speed=0.0) as running:
        yield running


@pytest.fixture(autouse=True)
def no_faults(sandbox: RunningSandbox) -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):  # as many tries, and no pauses between them
        yield
    sandbox.clear_faults()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        yield session


@dataclass
class Suna:
    """A client of one dialect."""

    dialect: str
    session: aiohttp.ClientSession
    base_url: str
    breaker: Breaker = field(default_factory=lambda: Breaker("suna", min_failures=10_000))
    key: str = SUNA_API_KEY

    def __post_init__(self) -> None:
        self.http = SunaHttp(self.session, self.base_url, ApiKey(self.key), self.breaker)
        self.dialects = DialectFinder(self.session, self.base_url, "auto")
        pace = Pace(poll=(0.01,), first_seconds=2.0, look_again=(0.01, 0.5))
        self.runtime = SunaAgentRuntime(self.http, self.dialects, pace=pace)
        self.agents = SunaAgentDirectory(self.http, AgentLists().of(None))

    async def start(
        self, prompt: str = "Sell oat milk to cyclists", agent: UUID = COPYWRITER
    ) -> RunRef:
        return await self.runtime.start(agent, prompt, key=uuid4())

    async def run(
        self, prompt: str = "Sell oat milk to cyclists", agent: UUID = COPYWRITER
    ) -> "Ended":
        return await self.end_of(await self.start(prompt, agent))

    async def end_of(self, run: RunRef) -> "Ended":
        heard: list[str] = []

        async def hear(text: str) -> None:
            heard.append(text)

        state = await self.runtime.follow(run, hear)
        return Ended(run, state, await self.runtime.answer(run), "".join(heard))


@dataclass
class Ended:
    run: RunRef
    state: RunState
    answer: Answer
    heard: str


@pytest.fixture(params=BASES)
def suna(
    request: pytest.FixtureRequest, session: aiohttp.ClientSession, sandbox: RunningSandbox
) -> Suna:
    return Suna(request.param, session, sandbox.url + BASES[request.param])


threads = pytest.mark.parametrize("suna", SUNAS, indirect=True)


# --- what is meant --------------------------------------------------------------------------------


async def test_an_agent_runs_and_answers(suna: Suna) -> None:
    ended = await suna.run()
    assert ended.state.status is RunStatus.COMPLETED
    assert "oat milk" in ended.answer.text.lower()
    assert not ended.answer.needs_input
    assert "<function_calls>" not in ended.answer.text
    assert bool(ended.heard.strip()) is (suna.dialect != "execute")


async def test_every_agent_answers_clean_text(suna: Suna) -> None:
    for agent in (await suna.agents.list()).agents:
        ended = await suna.run("Launch a bakery in Recife by May 3", agent.id)
        assert len(ended.answer.text) > 20
        assert "invoke" not in ended.answer.text


async def test_the_dialect_is_found_with_all_that_it_can_do(suna: Suna) -> None:
    dialect = await suna.dialects.find()
    assert dialect.name == suna.dialect.removesuffix("-a2")
    assert dialect.idempotent is (suna.dialect == "execute")
    assert getattr(dialect, "optimistic", None) == {"start": True, "start-a2": False}.get(
        suna.dialect
    )


# --- how a run can end ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status", "has_text", "needs_input"),
    [
        ("fail-run", RunStatus.FAILED, None, False),
        ("billing-stop", RunStatus.STOPPED, None, False),
        ("lie-completed", RunStatus.COMPLETED, False, False),
        ("empty-answer", RunStatus.COMPLETED, False, False),
        ("ask", RunStatus.COMPLETED, True, True),
        ("takeover", RunStatus.COMPLETED, True, True),
        ("old-ask", RunStatus.COMPLETED, True, True),
        ("old-tags", RunStatus.COMPLETED, True, False),
        ("attachments", RunStatus.COMPLETED, True, False),
        ("late-answer", RunStatus.COMPLETED, True, False),
        ("404-first", RunStatus.COMPLETED, True, False),
    ],
)
async def test_the_end_is_what_suna_says_when_asked(
    suna: Suna,
    sandbox: RunningSandbox,
    fault: str,
    status: RunStatus,
    has_text: bool | None,
    needs_input: bool,
) -> None:
    sandbox.fault("start", fault)
    ended = await suna.run()
    assert ended.state.status is status
    assert ended.answer.needs_input is needs_input
    assert "<" not in ended.answer.text
    if has_text is not None:
        assert bool(ended.answer.text) is has_text


async def test_a_run_whose_worker_is_gone_runs_until_it_is_stopped(
    suna: Suna, sandbox: RunningSandbox
) -> None:
    sandbox.fault("start", "forever")
    run = await suna.start()
    following = asyncio.create_task(suna.end_of(run))
    done, _ = await asyncio.wait([following], timeout=0.09)
    assert not done
    await suna.runtime.stop(run)
    assert (await following).state.status is RunStatus.STOPPED


async def test_a_status_that_suna_does_not_have_is_a_failure(
    suna: Suna, sandbox: RunningSandbox
) -> None:
    run = await suna.start()
    sandbox.fault("status", "odd-status")
    assert (await suna.runtime.status(run)).status is RunStatus.FAILED


# --- starting -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("429", SunaBusy),
        ("402-limit", SunaBusy),
        ("retry-after", SunaBusy),
        ("402-credits", SunaRefused),
        ("no-model", SunaRefused),
        ("401", SunaRefused),
        ("403", SunaRefused),
        ("422", SunaRefused),
        ("500", StartUnknown),
        ("502", StartUnknown),
        ("503", StartUnknown),
        ("garbage", StartUnknown),
        ("drop-answer", StartUnknown),
    ],
)
async def test_a_start_that_goes_wrong_is_told_apart(
    suna: Suna, sandbox: RunningSandbox, fault: str, error: type[Exception]
) -> None:
    sandbox.fault("start", fault)
    with pytest.raises(error) as told:
        await suna.start()
    assert type(told.value) is error
    if fault == "retry-after":
        assert told.value.wait_s == 1


async def test_an_unknown_agent_is_told(suna: Suna) -> None:
    with pytest.raises(AgentNotFound):
        await suna.start(agent=uuid4())


async def test_a_start_that_is_not_answered_in_time_may_have_happened(
    suna: Suna, sandbox: RunningSandbox
) -> None:
    await suna.dialects.find()
    sandbox.fault("start", "hang")
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.05)) as hasty:
        impatient = Suna(suna.dialect, hasty, suna.base_url)
        impatient.runtime = SunaAgentRuntime(impatient.http, suna.dialects)
        with pytest.raises(StartUnknown):
            await impatient.start()


@threads
@pytest.mark.parametrize("fault", ["drop-answer", "garbage", "no-run-id"])
async def test_a_run_whose_start_was_not_answered_is_found(
    suna: Suna, sandbox: RunningSandbox, fault: str
) -> None:
    key, prompt = uuid4(), f"Sell something quite unusual {uuid4()}"
    since = datetime.now(UTC)
    find = suna.runtime.find
    assert await find(COPYWRITER, prompt, key=key, since=since) == []
    sandbox.fault("start", fault)
    with pytest.raises(StartUnknown):
        await suna.runtime.start(COPYWRITER, prompt, key=key)
    found = await find(COPYWRITER, prompt, key=key, since=since)
    started = [s["run_id"] for s in sandbox.starts() if s["prompt"] == prompt]
    assert [r.run_id for r in found] == started
    assert len(started) == (0 if fault == "garbage" else 1)
    assert not await suna.runtime.may_repeat_start()


@threads
async def test_the_run_of_another_agent_or_another_time_is_not_taken(
    suna: Suna, sandbox: RunningSandbox
) -> None:
    key, prompt, since = uuid4(), f"Sell something {uuid4()}", datetime.now(UTC)
    await suna.runtime.start(EDITOR, prompt, key=key)
    assert await suna.runtime.find(COPYWRITER, prompt, key=key, since=since) == []
    later = since + timedelta(minutes=1)
    if suna.dialect != "start":  # there the key decides
        assert await suna.runtime.find(EDITOR, prompt, key=key, since=later) == []


@threads
async def test_while_suna_is_away_nobody_can_say_that_nothing_was_started(
    suna: Suna, sandbox: RunningSandbox
) -> None:
    await suna.start()
    sandbox.fault("runs", "500", times=9)
    sandbox.fault("threads", "500", times=9)
    with pytest.raises(SunaUnavailable):
        await suna.runtime.find(COPYWRITER, "x", key=uuid4(), since=datetime.now(UTC))


@pytest.mark.parametrize("suna", ["start"], indirect=True)
async def test_a_run_that_is_not_visible_yet_is_not_taken_for_none(suna: Suna) -> None:
    key = uuid4()
    await suna.runtime.start(COPYWRITER, "Sell [[late=60]]", key=key)
    with pytest.raises(SunaUnavailable, match="not visible"):
        await suna.runtime.find(COPYWRITER, "Sell [[late=60]]", key=key, since=datetime.now(UTC))


@pytest.mark.parametrize("suna", ["execute"], indirect=True)
async def test_a_gateway_answers_the_same_start_again(suna: Suna, sandbox: RunningSandbox) -> None:
    assert await suna.runtime.may_repeat_start()
    key, prompt = uuid4(), f"Sell {uuid4()}"
    sandbox.fault("start", "drop-answer")
    with pytest.raises(StartUnknown):
        await suna.runtime.start(COPYWRITER, prompt, key=key)
    run = await suna.runtime.start(COPYWRITER, prompt, key=key)
    assert [s["run_id"] for s in sandbox.starts() if s["prompt"] == prompt] == [run.run_id]
    with pytest.raises(StartUnknown, match="no way to find"):
        await suna.runtime.find(COPYWRITER, prompt, key=key, since=datetime.now(UTC))


# --- following ------------------------------------------------------------------------------------


@threads
@pytest.mark.parametrize(
    "fault",
    ["429", "500", "502", "503", "404", "401", "drop-stream", "no-end", "noise", "garbage", "slow"],
)
async def test_following_survives_whatever_happens_to_the_stream(
    suna: Suna, sandbox: RunningSandbox, fault: str
) -> None:
    run = await suna.start()
    sandbox.fault("stream", fault)
    assert (await suna.end_of(run)).state.status is RunStatus.COMPLETED


@threads
async def test_a_silent_stream_is_left_for_polling(suna: Suna, sandbox: RunningSandbox) -> None:
    run = await suna.start()
    sandbox.fault("stream", "silent-stream")
    suna.http.stream_timeout = aiohttp.ClientTimeout(total=None, sock_read=0.05)
    ended = await suna.end_of(run)
    assert (ended.state.status, ended.heard) == (RunStatus.COMPLETED, "")


@pytest.mark.parametrize(
    "fault", ["429", "500", "502", "503", "garbage", "drop-answer", "retry-after"]
)
async def test_a_read_is_tried_again(suna: Suna, sandbox: RunningSandbox, fault: str) -> None:
    run = await suna.start()
    sandbox.fault("status", fault, times=2 if fault != "retry-after" else 1)
    assert (await suna.runtime.status(run)).status in (RunStatus.RUNNING, RunStatus.COMPLETED)


async def test_what_fails_for_longer_is_told(suna: Suna, sandbox: RunningSandbox) -> None:
    run = await suna.start()
    sandbox.fault("status", "503", times=3)
    with pytest.raises(SunaUnavailable, match="503"):
        await suna.runtime.status(run)


@threads
@pytest.mark.parametrize("fault", ["500", "empty-answer", "double-encoded", "optimized", "garbage"])
async def test_the_answer_is_read_whatever_happens_to_the_messages(
    suna: Suna, sandbox: RunningSandbox, fault: str
) -> None:
    clean = (await suna.run()).answer
    sandbox.fault("messages", fault)
    assert (await suna.run()).answer == clean


async def test_a_run_nobody_knows_is_lost(suna: Suna) -> None:
    suna.runtime = SunaAgentRuntime(
        suna.http, suna.dialects, pace=Pace(poll=(0.01,), first_seconds=0.05)
    )
    lost = RunRef(str(uuid4()), str(uuid4()))
    with pytest.raises(RunLost):
        await suna.runtime.status(lost)
    with pytest.raises(RunLost):
        await suna.end_of(lost)


# --- stopping -------------------------------------------------------------------------------------


async def test_what_runs_is_stopped_and_what_has_ended_is_left_alone(suna: Suna) -> None:
    running = await suna.start("Sell [[sleep=60]]")
    assert (await suna.runtime.status(running)).status is RunStatus.RUNNING
    await suna.runtime.stop(running)
    assert (await suna.runtime.status(running)).status is RunStatus.STOPPED

    ended = await suna.run()
    await suna.runtime.stop(ended.run)
    assert (await suna.runtime.status(ended.run)).status is RunStatus.COMPLETED


@pytest.mark.parametrize("fault", ["ignore-stop", "500", "drop-answer"])
async def test_a_stop_is_confirmed_only_when_the_run_has_stopped(
    suna: Suna, sandbox: RunningSandbox, fault: str
) -> None:
    run = await suna.start("Sell [[sleep=60]]")
    sandbox.fault("stop", fault)
    with pytest.raises(SunaUnavailable):
        await suna.runtime.stop(run)
    await suna.runtime.stop(run)
    assert (await suna.runtime.status(run)).status is RunStatus.STOPPED


# --- agents ---------------------------------------------------------------------------------------


async def test_agents_are_shown_without_what_is_suna_s_own_business(suna: Suna) -> None:
    listing = await suna.agents.list()
    assert len(listing.agents) == 6
    editor = await suna.agents.get(EDITOR)
    assert (editor.name, editor.available) == ("Editor", True)
    assert editor.capabilities
    shown = str(listing)
    assert "You are" not in shown
    assert "http" not in shown
    with pytest.raises(AgentNotFound):
        await suna.agents.get(uuid4())


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        ("401", SunaRefused, "SUNA_API_KEY"),
        ("403", SunaRefused, "custom agents may be switched off"),
        ("garbage", SunaUnavailable, "not readable"),
        ("500", SunaUnavailable, "500"),
    ],
)
async def test_why_there_are_no_agents_is_told(
    suna: Suna, sandbox: RunningSandbox, fault: str, error: type[Exception], says: str
) -> None:
    sandbox.fault("agents", fault, times=3)
    with pytest.raises(error, match=says):
        await suna.agents.list()


async def test_agents_are_cached_and_served_stale_while_suna_is_away(
    suna: Suna, sandbox: RunningSandbox
) -> None:
    now = 0.0
    lists = AgentLists(clock=lambda: now)
    agents = SunaAgentDirectory(suna.http, lists.of(None))
    assert len((await agents.list()).agents) == 6
    sandbox.fault("agents", "503", times=99)
    assert not (await agents.list()).stale
    now = 60.0
    assert (await agents.list()).stale
    now = 700.0
    with pytest.raises(SunaUnavailable):
        await agents.list()


# --- Suna as a whole ------------------------------------------------------------------------------


async def test_after_failures_in_a_row_suna_is_left_alone_but_health_looks(
    suna: Suna, sandbox: RunningSandbox
) -> None:
    now = 0.0
    suna = Suna(suna.dialect, suna.session, suna.base_url, Breaker("suna", clock=lambda: now))
    run = await suna.start()
    sandbox.fault("status", "500", times=99)
    for _ in range(2):
        with pytest.raises(SunaUnavailable):
            await suna.runtime.status(run)
    assert suna.breaker.state is BreakerState.OPEN
    before = len(sandbox.starts())
    with pytest.raises(SunaUnavailable, match="failed too often") as refused:
        await suna.start()
    assert 0 < refused.value.wait_s <= 5
    assert len(sandbox.starts()) == before
    await suna.http.health()
    sandbox.clear_faults()
    now = 6.0
    await suna.runtime.status(run)
    assert suna.breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize("fault", ["401", "402-credits", "404", "429", "422"])
async def test_refusals_are_no_reason_to_leave_suna_alone(
    suna: Suna, sandbox: RunningSandbox, fault: str
) -> None:
    suna = Suna(suna.dialect, suna.session, suna.base_url, Breaker("suna"))
    run = await suna.start()
    sandbox.fault("status", fault, times=99)
    for _ in range(8):
        with pytest.raises((SunaRefused, SunaUnavailable, RunLost)):
            await suna.runtime.status(run)
    assert suna.breaker.state is BreakerState.CLOSED


async def test_errors_name_the_request_and_never_what_suna_wrote(
    suna: Suna, sandbox: RunningSandbox
) -> None:
    key = uuid4()
    sandbox.fault("start", "402-credits")
    with pytest.raises(SunaRefused) as refused:
        await suna.runtime.start(COPYWRITER, "Sell", key=key)
    assert f"Suna answered 402 (request renum-{key})" in str(refused.value)
    assert "Insufficient" not in str(refused.value)


async def test_nobody_listening_means_surely_not_started(session: aiohttp.ClientSession) -> None:
    nowhere = Suna("start", session, "http://127.0.0.1:9/v1")
    with pytest.raises(SunaUnavailable):
        await nowhere.start()
    with pytest.raises(SunaUnavailable):
        await nowhere.http.health()


async def test_no_dialect_is_a_clear_message(
    session: aiohttp.ClientSession, sandbox: RunningSandbox
) -> None:
    with pytest.raises(SunaRefused, match="SUNA_API_URL"):
        await DialectFinder(session, f"{sandbox.url}/elsewhere", "auto").find()
    with pytest.raises(SunaRefused, match="SUNA_API_DIALECT"):
        await DialectFinder(session, f"{sandbox.url}/hidden/deeper/api", "auto").find()
    hidden = DialectFinder(session, f"{sandbox.url}/hidden/deeper/v1", "start")
    assert (await hidden.find()).name == "start"
