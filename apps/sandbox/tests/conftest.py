"""Sandboxes for the tests, on real ports, and a small client for each of the two dialects."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx2
import pytest

from renum_sandbox import constants
from renum_sandbox.testing import RunningSandbox, running_sandbox


@dataclass
class MovableClock:
    """Stands still until a test moves it forward."""

    now: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Suna:
    """One dialect of one sandbox, as seen by the holder of the API key."""

    http: httpx2.Client
    base: str

    def get(self, path: str, **query: object) -> httpx2.Response:
        return self.http.get(self.base + path, params=query)

    def post(self, path: str, **arguments: object) -> httpx2.Response:
        return self.http.post(self.base + path, **arguments)

    def start(
        self, prompt: str, agent_id: str = constants.SUMMARISE_AGENT_ID, **more: object
    ) -> dict:
        path = "/agent/initiate" if self.base == "/api" else "/agent/start"
        answer = self.post(path, data={"prompt": prompt, "agent_id": agent_id, **more})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def run(self, start: dict) -> dict:
        answer = self.get(f"/agent-run/{start['agent_run_id']}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def frames(self, start: dict, **query: object) -> list[dict]:
        answer = self.get(f"/agent-run/{start['agent_run_id']}/stream", **query)
        assert answer.headers["content-type"].startswith("text/event-stream")
        return parse_frames(answer.text)

    def messages(self, start: dict, **query: object) -> list[dict]:
        return self.get(f"/threads/{start['thread_id']}/messages", order="asc", **query).json()[
            "messages"
        ]

    def stop(self, start: dict) -> httpx2.Response:
        return self.post(f"/agent-run/{start['agent_run_id']}/stop")


def parse_frames(text: str) -> list[dict]:
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line]


def text_of(frames: list[dict]) -> str:
    """What the chunks of a stream say together."""
    return "".join(
        json.loads(f["content"])["content"]
        for f in frames
        if f["type"] == "assistant" and f["message_id"] is None
    )


@pytest.fixture
def stream_text():
    return text_of


@pytest.fixture
def stream_frames():
    return parse_frames


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: RunningSandbox) -> Iterator[RunningSandbox]:
    """Instant runs; no fault outlives its test."""
    yield shared_sandbox
    shared_sandbox.clear_faults()


@pytest.fixture(scope="module")
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture(scope="module")
def clocked_sandbox(clock: MovableClock) -> Iterator[RunningSandbox]:
    """Runs of usual length, by a clock that only the test moves."""
    with running_sandbox(speed=1.0, clock=clock) as sandbox:
        yield sandbox


def suna_client(sandbox: RunningSandbox) -> httpx2.Client:
    headers = {"X-API-Key": sandbox.suna_api_key}
    return httpx2.Client(base_url=sandbox.url, headers=headers, trust_env=False)


# Clients live as long as their sandbox: making one costs more than most tests.
@pytest.fixture(scope="module")
def shared_http(shared_sandbox: RunningSandbox) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=shared_sandbox.url, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def shared_client(shared_sandbox: RunningSandbox) -> Iterator[httpx2.Client]:
    with suna_client(shared_sandbox) as client:
        yield client


@pytest.fixture(scope="module")
def clocked_client(clocked_sandbox: RunningSandbox) -> Iterator[httpx2.Client]:
    with suna_client(clocked_sandbox) as client:
        yield client


@pytest.fixture
def http(shared_http: httpx2.Client, sandbox: RunningSandbox) -> httpx2.Client:
    """Without any credential."""
    return shared_http


@pytest.fixture(params=["/api", "/v1"])
def suna(request, shared_client: httpx2.Client, sandbox: RunningSandbox) -> Suna:
    """Both dialects: a test that takes this runs twice."""
    return Suna(shared_client, request.param)


@pytest.fixture
def era_a(shared_client: httpx2.Client, sandbox: RunningSandbox) -> Suna:
    return Suna(shared_client, "/api")


@pytest.fixture
def era_b(shared_client: httpx2.Client, sandbox: RunningSandbox) -> Suna:
    return Suna(shared_client, "/v1")


@pytest.fixture(params=["/api", "/v1"])
def clocked(request, clocked_client: httpx2.Client) -> Suna:
    return Suna(clocked_client, request.param)


@pytest.fixture
def suna_of():
    """A client for a sandbox that the test itself has started."""
    clients: list[httpx2.Client] = []

    def make(sandbox: RunningSandbox, base: str = "/api") -> Suna:
        clients.append(suna_client(sandbox))
        return Suna(clients[-1], base)

    yield make
    for client in clients:
        client.close()
