"""The state of one small Renum server, in memory: each test has a world of its own."""

import asyncio
import itertools
import threading
import uuid
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

PASSWORD = "renum-demo"
EMAIL = "ana@renum.example"
AGENTS = (
    "Content Strategist",
    "Copywriter",
    "Editor",
    "Translator (PT-BR)",
    "Summariser",
    "Data Extractor",
)


def agent_id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def stamp() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


@dataclass
class Fault:
    """What one request gets instead of its answer. `broken` ends the connection half-way."""

    status: int = 500
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    broken: bool = False
    after: bool = False  # do the work first: the answer alone is lost

    @classmethod
    def problem(cls, status: int, code: str, detail: str = "No.", **extra: Any) -> "Fault":
        return cls(status, {"status": status, "code": code, "detail": detail, **extra})


@dataclass
class Socket:
    """One client's connection; messages put here are sent."""

    token: str
    after: int | None
    out: "asyncio.Queue[dict[str, Any] | int]" = field(default_factory=asyncio.Queue)
    received: list[dict[str, Any]] = field(default_factory=list)


class World:
    """
    All methods run in the server's thread, except `until`; see `Server.call`.

    What tests may set: `faults["GET /teams"]`, `play` (what a started run does), `heartbeat_s`,
    `mute` (sockets send nothing), `handshake` (a status that refuses sockets), `kept_from`
    (older events are gone).
    """

    def __init__(self) -> None:
        self.name = uuid.uuid4().hex[:8]
        self.changed = threading.Condition()
        self.requests: list[tuple[str, str]] = []
        self.bodies: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)

        self.access: set[str] = set()
        self.refreshes: set[str] = set()
        self.expires_in: float | None = 3600
        self._numbers = itertools.count(1)
        self.user = {"id": "u-1", "email": EMAIL, "name": "Ana"}

        self.agents = [
            {"id": agent_id(name), "name": name, "description": f"{name}.", "category": "text",
             "capabilities": ["text_generation"], "available": True}
            for name in AGENTS
        ]  # fmt: skip
        self.stale = False
        self.teams: dict[str, dict[str, Any]] = {}
        self.executions: dict[str, dict[str, Any]] = {}
        self.notifications: dict[str, dict[str, Any]] = {}

        self.events: list[dict[str, Any]] = []
        self.kept_from = 1
        self.sockets: list[Socket] = []
        self.past_sockets: list[Socket] = []
        self.heartbeat_s = 20.0
        self.mute = False
        self.handshake: int | None = None
        self.close_with: deque[int] = deque()
        self.play: Callable[[Run], Awaitable[None]] = complete
        self.tasks: set[asyncio.Task[None]] = set()

    def until(self, holds: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Wait, in any thread but the server's, for something to become true."""
        with self.changed:
            assert self.changed.wait_for(holds, timeout_s), "it never happened"

    def notify(self) -> None:
        with self.changed:
            self.changed.notify_all()

    def count(self, method: str, path: str) -> int:
        return self.requests.count((method, path))

    # Tokens

    def sign_in(self) -> dict[str, Any]:
        number = next(self._numbers)
        access, refresh = f"access-{number}", f"refresh-{number}"
        self.access.add(access)
        self.refreshes.add(refresh)
        answer = {
            "access_token": access,
            "refresh_token": refresh,
            "token_type": "bearer",
            "user": self.user,
        }
        if self.expires_in is not None:
            answer["expires_in"] = self.expires_in
        return answer

    def expire(self) -> None:
        """Every access token ends; refresh tokens stay good."""
        self.access.clear()

    # Teams

    def add_team(self, name: str = "Marketing Team", agents: tuple[str, ...] = AGENTS[:3], **more):
        team = {
            "name": name,
            "workflow_type": "sequential",
            "agents": [
                {"agent_id": agent_id(agent), "role": "member", "order": n, "config": {}}
                for n, agent in enumerate(agents, 1)
            ],
            **more,
        }
        return self.store_team(team)

    def store_team(self, team: dict[str, Any]) -> dict[str, Any]:
        names = {agent["id"]: agent["name"] for agent in self.agents}
        kept = {
            "id": str(uuid.uuid4()), "description": None, "status": "active", "version": 1,
            "created_at": stamp(), "updated_at": stamp(), **team,
        }  # fmt: skip
        kept["agents"] = [
            {"id": str(uuid.uuid4()), "key": f"agent_{agent['order']}", "config": {}, **agent,
             "agent_details": {"name": names.get(agent["agent_id"]), "description": None}}
            for agent in team["agents"]
        ]  # fmt: skip
        self.teams[kept["id"]] = kept
        return kept

    # Runs

    def start(self, team: dict[str, Any], body: dict[str, Any] | None = None) -> dict[str, Any]:
        run = Run(self, team, body or {})
        self.executions[run.id] = run.row
        run.update("running")
        task = asyncio.get_running_loop().create_task(self.play(run))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return run.row

    # Events

    def emit(self, kind: str, **data: Any) -> dict[str, Any]:
        """A durable event: stored, then sent to every socket."""
        event = {"type": kind, "data": data, "id": len(self.events) + 1, "timestamp": stamp()}
        self.events.append(event)
        self.send(event)
        return event

    def send(self, message: dict[str, Any]) -> None:
        for socket in self.sockets:
            socket.out.put_nowait(message)
        self.notify()

    def say(self, kind: str, **data: Any) -> None:
        """A passing message."""
        self.send({"type": kind, "data": data, "timestamp": stamp()})

    def drop(self, code: int = 1012) -> None:
        """Close every socket."""
        for socket in self.sockets:
            socket.out.put_nowait(code)


class Run:
    """A run under way, moved by hand: every step changes the row and emits its event."""

    def __init__(self, world: World, team: dict[str, Any], body: dict[str, Any]) -> None:
        self.world = world
        self.team = team
        self.seq = itertools.count(1)
        self.id = str(uuid.uuid4())
        self.names = {a["key"]: a["agent_details"]["name"] for a in team["agents"]}
        self.row: dict[str, Any] = {
            "execution_id": self.id,
            "team_id": team["id"],
            "status": "running",
            "started_at": stamp(),
            "completed_at": None,
            "error_code": None,
            "error_message": None,
            "progress": {},
            "results": [
                {"key": a["key"], "agent_id": a["agent_id"], "status": "pending", "output": None}
                for a in team["agents"]
            ],
            "logs": [],
            "input": body,
        }

    @property
    def keys(self) -> list[str]:
        return list(self.names)

    def result(self, key: str) -> dict[str, Any]:
        return next(r for r in self.row["results"] if r["key"] == key)

    def update(self, status: str, **error: Any) -> None:
        states = [r["status"] for r in self.row["results"]]
        done = states.count("completed")
        self.row["status"] = status
        self.row.update(error)
        if status in {"completed", "failed", "cancelled"}:
            self.row["completed_at"] = stamp()
        self.row["progress"] = {
            "completed_agents": done,
            "total_agents": len(states),
            "failed_agents": states.count("failed"),
            "skipped_agents": states.count("skipped"),
            "percentage": round(100 * done / len(states)),
            "current_step": None,
        }
        wanted = ("team_id", "status", "progress", "started_at", "completed_at",
                  "error_code", "error_message")  # fmt: skip
        self._emit("execution_status_update", **{name: self.row[name] for name in wanted})

    def begin(self, key: str, attempt: int = 1) -> None:
        self.result(key)["status"] = "running"
        self._emit("agent_started", key=key, agent_name=self.names[key], attempt=attempt)

    def say(self, key: str, text: str, offset: int, attempt: int = 1) -> None:
        data = {"execution_id": self.id, "key": key, "attempt": attempt}
        self.world.say("agent_output", **data, offset=offset, text=text)

    def finish(self, key: str, output: str | None, status: str = "completed", **more: Any) -> None:
        self.result(key).update(
            status=status, output=output, execution_time_ms=1500, completed_at=stamp(), **more
        )
        self._emit(
            "agent_completed",
            key=key,
            agent_name=self.names[key],
            status=status,
            output=output,
            execution_time_ms=1500,
            **more,
        )

    def _emit(self, kind: str, **data: Any) -> None:
        self.world.emit(kind, execution_id=self.id, seq=next(self.seq), **data)


async def complete(run: Run) -> None:
    """Every agent writes its text, and the run completes."""
    for key in run.keys:
        run.begin(key)
        text = f"# {run.names[key]}\n\nText of **{run.names[key]}**."
        run.say(key, text[:10], 0)
        run.say(key, text[10:], 10)
        run.finish(key, text)
        run.update("running")
    run.update("completed")


async def fail(run: Run) -> None:
    """The first agent fails, the others are skipped."""
    first, *others = run.keys
    run.begin(first)
    run.finish(first, None, "failed", error_code="agent_failed", error_message="out of credits")
    for key in others:
        run.finish(key, None, "skipped")
    run.update("failed", error_code="agent_failed", error_message="Agent 1: out of credits")


async def idle(run: Run) -> None:
    """Nothing happens: the test moves the run."""
