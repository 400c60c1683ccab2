"""A person who watches: over WebSocket and as server-sent events."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect


@dataclass
class Live:
    url: str
    token: str
    client: httpx2.Client

    @contextmanager
    def socket(
        self, query: str = "", token: str | None = None, **options: Any
    ) -> Iterator[ClientConnection]:
        token = self.token if token is None else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"{self.url.replace('http', 'ws')}/api/v1/ws{query}"
        headers |= options.pop("headers", {})
        # No queue limit: a client that stops reading could not close cleanly.
        options = {"max_queue": None, **options}
        with connect(url, additional_headers=headers, **options) as socket:
            yield socket

    @contextmanager
    def events(
        self, path: str = "/events", last_event_id: str | None = None
    ) -> Iterator[Iterator[httpx2.ServerSentEvent]]:
        """A stream of server-sent events, as `EventSource` reads it."""
        headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
        with self.client.sse(path, headers=headers, timeout=20) as source:
            assert source.response.status_code == 200, source.response.read()
            yield iter(source)

    def make_team(self, name: str = "Team") -> str:
        agents = self.client.get("/agents").json()["agents"]
        body = {
            "name": name,
            "workflow_type": "sequential",
            "agents": [{"agent_id": agents[0]["id"]}],
        }
        return self.client.post("/teams", json=body).json()["id"]

    def run(self, team_id: str, prompt: str = "Sell oat milk") -> str:
        body = {"input_data": {"prompt": prompt}}
        return self.client.post(f"/teams/{team_id}/execute", json=body).json()["execution_id"]

    def wait_for(self, execution_id: str) -> dict[str, Any]:
        """The execution when it has ended."""
        give_up_at = time.monotonic() + 20
        while True:
            execution = self.client.get(f"/executions/{execution_id}").json()
            if execution["status"] not in ("pending", "running"):
                return execution
            assert time.monotonic() < give_up_at
            time.sleep(0.02)


def receive(socket: ClientConnection) -> dict[str, Any]:
    return json.loads(socket.recv(10))


def durable(socket: ClientConnection, until: Callable[[dict[str, Any]], bool]) -> list[Any]:
    """Numbered events up to the first that satisfies *until*."""
    events = []
    while True:
        message = receive(socket)
        if "id" in message:
            events.append(message)
            if until(message):
                return events


def ends(event: dict[str, Any]) -> bool:
    return event["type"] == "execution_status_update" and event["data"]["status"] == "completed"


def close_code(socket: ClientConnection) -> int | None:
    try:
        while True:
            socket.recv(10)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def sign_in(url: str, name: str) -> str:
    who = {"email": f"{name}@renum.example", "password": "renum-demo"}
    return httpx2.post(f"{url}/api/v1/auth/login", json=who).json()["access_token"]
