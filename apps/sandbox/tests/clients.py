"""Clients of the sandbox: one for each dialect of Suna, one for Supabase Auth."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx2

from renum_sandbox import constants
from renum_sandbox.testing import RunningSandbox

KEY = {"apikey": constants.PUBLISHABLE_KEY}
UNKNOWN = "00000000-0000-4000-8000-000000000000"
ERAS = ["/api", "/a2/api", "/v1"]


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

    @property
    def start_path(self) -> str:
        return "/agent/initiate" if self.base == "/api" else "/agent/start"

    @property
    def native(self) -> bool:
        """Era B: native tool calls, pings, event ids."""
        return self.base == "/v1"

    @property
    def coded(self) -> bool:
        """Refusals are 402 with an `error_code`."""
        return self.base != "/api"

    @property
    def agent_word(self) -> str:
        return "Worker" if self.native else "Agent"

    def get(self, path: str, **query: object) -> httpx2.Response:
        return self.http.get(self.base + path, params=query)

    def post(self, path: str, **arguments: object) -> httpx2.Response:
        return self.http.post(self.base + path, **arguments)

    def start(
        self, prompt: str, agent_id: str = constants.SUMMARISE_AGENT_ID, **more: object
    ) -> dict:
        answer = self.post(self.start_path, data={"prompt": prompt, "agent_id": agent_id, **more})
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

    def call(
        self, operation: str, start: dict | None = None, *, prompt: str = "Hi", **arguments: object
    ) -> httpx2.Response:
        """Any operation by its name, on the run that `start` answered."""
        ids = start or {"agent_run_id": UNKNOWN, "thread_id": UNKNOWN}
        run = f"/agent-run/{ids['agent_run_id']}"
        method, path = {
            "start": ("POST", self.start_path),
            "status": ("GET", run),
            "stream": ("GET", f"{run}/stream"),
            "messages": ("GET", f"/threads/{ids['thread_id']}/messages"),
            "stop": ("POST", f"{run}/stop"),
            "runs": ("GET", f"/thread/{ids['thread_id']}/agent-runs"),
            "threads": ("GET", "/threads"),
            "agents": ("GET", "/agents"),
            "health": ("GET", "/health"),
        }[operation]
        if operation == "start":
            arguments["data"] = {"prompt": prompt}
        return self.http.request(method, self.base + path, **arguments)


@dataclass
class Gateway:
    """The dialect `execute`, as seen by the holder of the API key."""

    http: httpx2.Client
    base: str = "/gateway/api"
    coded: bool = False

    def start(
        self, prompt: str, agent_id: str = constants.SUMMARISE_AGENT_ID, **headers: str
    ) -> dict:
        answer = self.execute(prompt, agent_id, **headers)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def execute(
        self, prompt: str, agent_id: str = constants.SUMMARISE_AGENT_ID, **headers: str
    ) -> httpx2.Response:
        path = f"{self.base}/agents/{agent_id}/execute"
        return self.http.post(path, json={"input_data": {"prompt": prompt}}, headers=headers)

    def run(self, start: dict) -> dict:
        answer = self.call("status", start)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def call(
        self, operation: str, start: dict | None = None, *, prompt: str = "Hi", **arguments: object
    ) -> httpx2.Response:
        execution = f"/executions/{start['execution_id'] if start else UNKNOWN}"
        method, path = {
            "start": ("POST", f"/agents/{constants.SUMMARISE_AGENT_ID}/execute"),
            "status": ("GET", execution),
            "stop": ("POST", f"{execution}/cancel"),
            "agents": ("GET", "/agents"),
            "health": ("GET", "/health"),
        }[operation]
        if operation == "start":
            arguments["json"] = {"input_data": {"prompt": prompt}}
        return self.http.request(method, self.base + path, **arguments)


class Auth:
    """Supabase Auth, as seen by the holder of the publishable key."""

    def __init__(self, http: httpx2.Client) -> None:
        self.http = http

    def grant(self, grant_type: str, body: object, **headers: str) -> httpx2.Response:
        return self.http.post(
            "/auth/v1/token", params={"grant_type": grant_type}, json=body, headers=KEY | headers
        )

    def call(self, operation: str, **headers: str) -> httpx2.Response:
        """Any operation by its name, as it would succeed."""
        if operation == "auth-token":
            body = {"email": constants.ANA_EMAIL, "password": constants.DEMO_PASSWORD}
            return self.grant("password", body, **headers)
        if operation in ("auth-user", "auth-logout"):
            headers |= {"Authorization": f"Bearer {self.login()['access_token']}"}
        method, path = {
            "auth-user": ("GET", "/user"),
            "auth-logout": ("POST", "/logout"),
            "auth-jwks": ("GET", "/.well-known/jwks.json"),
            "auth-health": ("GET", "/health"),
        }[operation]
        return self.http.request(method, f"/auth/v1{path}", headers=KEY | headers, timeout=2)

    def login(self, email: str = constants.ANA_EMAIL) -> dict:
        answer = self.grant("password", {"email": email, "password": constants.DEMO_PASSWORD})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refresh(self, token: str) -> httpx2.Response:
        return self.grant("refresh_token", {"refresh_token": token})

    def user(self, access_token: str) -> httpx2.Response:
        headers = KEY | {"Authorization": f"Bearer {access_token}"}
        return self.http.get("/auth/v1/user", headers=headers)

    def logout(self, access_token: str, **query: str) -> httpx2.Response:
        headers = KEY | {"Authorization": f"Bearer {access_token}"}
        return self.http.post("/auth/v1/logout", headers=headers, params=query)

    @staticmethod
    def code(answer: httpx2.Response) -> tuple[int, str]:
        """Status and error code, from the default shape; the header must agree."""
        body = answer.json()
        assert body["code"] == answer.status_code
        assert answer.headers["x-sb-error-code"] == body["error_code"]
        return answer.status_code, body["error_code"]


def parse_frames(text: str) -> list[dict]:
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line]


def text_of(frames: list[dict]) -> str:
    """What the chunks of a stream say together."""
    return "".join(
        json.loads(f["content"])["content"]
        for f in frames
        if f["type"] == "assistant" and f["message_id"] is None
    )


def suna_client(sandbox: RunningSandbox) -> httpx2.Client:
    headers = {"X-API-Key": sandbox.suna_api_key}
    return httpx2.Client(base_url=sandbox.url, headers=headers, trust_env=False)


@contextmanager
def auth_client(sandbox: RunningSandbox) -> Iterator[Auth]:
    with httpx2.Client(base_url=sandbox.url, trust_env=False) as http:
        yield Auth(http)
