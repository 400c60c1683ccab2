"""People who use the service while it is being killed: they execute, and some cancel."""

import asyncio
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx2

from renum_sandbox import constants

_PEOPLE = (constants.ANA_EMAIL, constants.BRUNO_EMAIL)
#: Shares of executions that are cancelled, and how long after their start.
_CANCELLED, _CANCEL_AFTER_S = 0.08, 3.0
#: How long agents of executions that are cancelled would work: what is not stopped is seen.
_UNTIL_STOPPED_S = 1000.0


@dataclass
class Submitted:
    """What the clients know: by the unique word of a prompt, the id that was answered."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)


class People:
    """Two users, on all API processes; a lost connection is tried again elsewhere."""

    def __init__(self, urls: list[str], rng: Random) -> None:
        self._urls, self._rng = urls, rng
        self._tokens: dict[str, str] = {}
        self._http = httpx2.AsyncClient(timeout=10, trust_env=False)
        self.submitted = Submitted()

    async def __aenter__(self) -> "People":
        for email in _PEOPLE:
            who = {"email": email, "password": constants.DEMO_PASSWORD}
            self._tokens[email] = (await self.ask(None, "POST", "auth/login", who))["access_token"]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def make_teams(self) -> list[tuple[str, str]]:
        """(owner, team id) of every kind of workflow, for each user."""
        agents = (await self.ask(_PEOPLE[0], "GET", "agents"))["agents"]
        ids = [a["id"] for a in agents if a["available"]]
        if len(ids) < 4:
            raise RuntimeError("the sandbox has too few agents")
        return [
            (email, (await self.ask(email, "POST", "teams", body))["id"])
            for email in _PEOPLE
            for body in _teams(ids)
        ]

    async def execute(self, owner: str, team_id: str, word: str) -> None:
        """Execute once, however the answer is lost; perhaps cancel."""
        seconds = self._rng.uniform(0.2, 3.0)
        cancel_after_s = None
        if self._rng.random() < _CANCELLED:
            cancel_after_s = self._rng.uniform(0, _CANCEL_AFTER_S)
            seconds = _UNTIL_STOPPED_S
        body = {"input_data": {"prompt": f"{word} Sell oat milk [[sleep={seconds:.2f}]]"}}
        answer = None
        while answer is None:
            try:
                answer = await self._send(owner, "POST", f"teams/{team_id}/execute", body)
            except httpx2.ConnectError:  # nothing was sent: surely not accepted
                await asyncio.sleep(0.2)
            except httpx2.TransportError:
                break
        if answer is not None and answer.status_code == 202:
            execution_id = answer.json()["execution_id"]
            self.submitted.acknowledged[word] = execution_id
        else:
            self.submitted.unknown.append(word)
            execution_id = await self._find(owner, word) if cancel_after_s is not None else None
        if execution_id is not None and cancel_after_s is not None:
            await asyncio.sleep(cancel_after_s)
            await self._cancel(owner, execution_id)

    async def _find(self, owner: str, word: str) -> str | None:
        """The execution of a request whose answer was lost, if it was accepted."""
        for item in (await self.ask(owner, "GET", "executions?limit=50"))["executions"]:
            found = await self.ask(owner, "GET", f"executions/{item['execution_id']}")
            if found["input_data"]["prompt"].startswith(word):
                return str(found["execution_id"])
        return None

    async def _cancel(self, owner: str, execution_id: str) -> None:
        while True:
            try:
                answer = await self._send(owner, "POST", f"executions/{execution_id}/cancel")
            except httpx2.TransportError:
                await asyncio.sleep(0.2)
                continue
            if answer.status_code == 200:
                self.submitted.cancelled.add(execution_id)
            if answer.status_code in (200, 409):
                return
            await asyncio.sleep(0.2)

    async def ask(self, owner: str | None, method: str, path: str, body: Any = None) -> Any:
        while True:
            try:
                answer = await self._send(owner, method, path, body)
                answer.raise_for_status()
                return answer.json()
            except (httpx2.TransportError, httpx2.HTTPStatusError):
                await asyncio.sleep(0.2)

    async def _send(
        self, owner: str | None, method: str, path: str, body: Any = None
    ) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self._tokens[owner]}"} if owner else {}
        url = f"{self._rng.choice(self._urls)}/api/v1/{path}"
        return await self._http.request(method, url, json=body, headers=headers)


def _teams(ids: list[str]) -> list[dict[str, Any]]:
    """Every agent once a team, and the prompt in every input: so a start at the sandbox tells
    which step of which execution it is."""
    a, b, c, d = ids[:4]
    combined = {"input_source": "combined"}
    continues = {"on_failure": "continue"}
    return [
        _team("sequential", [{"agent_id": i} for i in (a, b, c)]),
        _team("pipeline", [{"agent_id": a}, {"agent_id": b, "config": combined}]),
        _team(
            "parallel",
            [{"agent_id": i} for i in (a, b, c)] + [{"agent_id": d, "role": "coordinator"}],
        ),
        _team(
            "conditional",
            [
                {"agent_id": a, "order": 1, "key": "first", "config": continues},
                {"agent_id": b, "order": 2, "config": _only_if("contains", "oat")},
                {"agent_id": c, "order": 2, "config": _only_if("not_contains", "oat")},
                {"agent_id": d, "order": 3},
            ],
        ),
    ]


def _team(workflow: str, agents: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": f"Chaos {workflow}", "workflow_type": workflow, "agents": agents}


def _only_if(operator: str, value: str) -> dict[str, Any]:
    condition = {"field": "initial_prompt", "operator": operator, "value": value}
    return {"conditions": [condition]}
