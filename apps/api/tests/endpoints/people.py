"""People who use Renum over HTTP, and what tests ask of its answers."""

import time
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import uuid4

import httpx2

from app.schemas.problems import Problem
from renum_sandbox import constants

T = TypeVar("T")
Json = dict[str, Any]
FINAL = ("completed", "failed", "cancelled")

OUTLINE = constants.OUTLINE_AGENT_ID
DRAFT = constants.DRAFT_AGENT_ID
REVIEW = constants.REVIEW_AGENT_ID


def until(look: Callable[[], T], holds: Callable[[T], bool] = bool, timeout_s: float = 15.0) -> T:
    """What *look* sees once it holds; fails with what it saw last."""
    give_up_at = time.monotonic() + timeout_s
    while not holds(seen := look()):
        assert time.monotonic() < give_up_at, f"still: {seen}"
        time.sleep(0.02)
    return seen


def checked(answer: httpx2.Response, status: int) -> Any:
    """The body of an answer that has to have this status."""
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def problem_of(answer: httpx2.Response, status: int, code: str) -> Json:
    """The problem document of an answer that has to be this one."""
    body = checked(answer, status)
    assert answer.headers["content-type"] == "application/problem+json"
    Problem.model_validate(body, extra="forbid")
    assert (body["status"], body["code"], body["type"]) == (status, code, f"/errors/{code}")
    assert body["instance"] == answer.request.url.path
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


class Person:
    """Somebody with a client; what they leave running is cancelled by `tidy`."""

    def __init__(self, client: httpx2.Client) -> None:
        self.http = client
        self._executions: list[str] = []

    def team(self, *agents: Json, **changes: object) -> Json:
        body = {
            "name": f"Team {uuid4()}",
            "workflow_type": "sequential",
            "agents": list(agents) or [{"agent_id": OUTLINE}],
            **changes,
        }
        return checked(self.http.post("teams", json=body), 201)

    def try_to_execute(
        self,
        team: Json,
        prompt: str = "Sell product X",
        *,
        context: object = None,
        **config: object,
    ) -> httpx2.Response:
        body = {
            "input_data": {"prompt": prompt, "context": context or {}},
            "execution_config": config,
        }
        answer = self.http.post(f"teams/{team['id']}/execute", json=body)
        if answer.status_code == 202:
            self._executions.append(answer.json()["execution_id"])
        return answer

    def execute(self, team: Json, prompt: str = "Sell product X", **config: Any) -> Json:
        return checked(self.try_to_execute(team, prompt, **config), 202)

    def execution(self, execution_id: str) -> Json:
        return checked(self.http.get(f"executions/{execution_id}"), 200)

    def wait(
        self, execution_id: str, holds: Callable[[Json], bool] = lambda e: e["status"] in FINAL
    ) -> Json:
        return until(lambda: self.execution(execution_id), holds)

    def running(self, team: Json, seconds: int = 30) -> Json:
        """An execution whose first agent runs at Suna, and goes on doing so."""
        started = self.execute(team, f"Work [[sleep={seconds}]]")
        return self.wait(
            started["execution_id"], lambda e: any(r["status"] == "running" for r in e["results"])
        )

    def cancel(self, execution_id: str) -> httpx2.Response:
        return self.http.post(f"executions/{execution_id}/cancel")

    def tidy(self) -> None:
        for execution_id in self._executions:
            self.cancel(execution_id)
        self._executions.clear()


def client_of(url: str, token: str | None = None) -> httpx2.Client:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx2.Client(base_url=f"{url}/api/v1/", headers=headers, timeout=20, trust_env=False)


def signed_in(url: str, email: str) -> httpx2.Client:
    with client_of(url) as client:
        body = {"email": email, "password": constants.DEMO_PASSWORD}
        token = checked(client.post("auth/login", json=body), 200)["access_token"]
    return client_of(url, token)
