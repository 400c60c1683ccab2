"""The test server's HTTP and WebSocket routes; `{world}` chooses the state they work on."""

import asyncio
import contextlib
import json
import math
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from .world import EMAIL, PASSWORD, Fault, Socket, World

Handler = Callable[[World, Request, Any], Awaitable[Response] | Response]


def problem(status: int, code: str, detail: str = "No.", **extra: Any) -> Response:
    body = {"type": f"/docs/errors#{code}", "title": code, "status": status, "code": code,
            "detail": detail, "request_id": "req-1", **extra}  # fmt: skip
    return JSONResponse(body, status, media_type="application/problem+json")


class Broken(Response):
    """Announces more than it sends, so that the server ends the connection."""

    def init_headers(self, headers: Any = None) -> None:
        super().init_headers({"content-length": "1000"})


def page_of(name: str, items: list[Any], request: Request, **more: Any) -> Response:
    page = int(request.query_params.get("page", 1))
    limit = int(request.query_params.get("limit", 10))
    shown = items[(page - 1) * limit : page * limit]
    pagination = {"page": page, "limit": limit, "total": len(items),
                  "pages": math.ceil(len(items) / limit)}  # fmt: skip
    return JSONResponse({name: shown, "pagination": pagination, **more})


async def login(world: World, request: Request, body: Any) -> Response:
    if body != {"email": EMAIL, "password": PASSWORD}:
        return problem(401, "invalid_credentials", "The e-mail or the password is wrong.")
    return JSONResponse(world.sign_in())


async def refresh(world: World, request: Request, body: Any) -> Response:
    token = bearer(request)
    await asyncio.sleep(0.01)  # long enough that concurrent refreshes would overlap
    if token not in world.refreshes:
        return problem(401, "invalid_refresh_token", "The refresh token is not valid any more.")
    world.refreshes.discard(token)
    answer = world.sign_in()
    del answer["user"]
    return JSONResponse(answer)


async def logout(world: World, request: Request, body: Any) -> Response:
    world.access.discard(bearer(request))
    return Response(status_code=204)


async def me(world: World, request: Request, body: Any) -> Response:
    return JSONResponse(world.user)


async def agents(world: World, request: Request, body: Any) -> Response:
    wanted = request.query_params.get("search", "").lower()
    found = [a for a in world.agents if wanted in a["name"].lower()]
    return page_of("agents", found, request, stale=world.stale)


async def agent(world: World, request: Request, body: Any) -> Response:
    return one(a for a in world.agents if a["id"] == request.path_params["id"])


async def teams(world: World, request: Request, body: Any) -> Response:
    if request.method == "POST":
        known = {a["id"] for a in world.agents}
        for n, item in enumerate(body.get("agents", [])):
            if item["agent_id"] not in known:
                loc = ["body", "agents", n, "agent_id"]
                errors = [{"loc": loc, "code": "unknown_agent", "message": "No such agent"}]
                return problem(422, "invalid_request", "1 field is invalid.", errors=errors)
        return JSONResponse(world.store_team(body), 201)
    wanted = request.query_params.get("search", "").lower()
    found = [
        {**{k: v for k, v in team.items() if k != "agents"}, "agents_count": len(team["agents"])}
        for team in world.teams.values()
        if wanted in team["name"].lower()
    ]
    return page_of("teams", found, request)


async def team(world: World, request: Request, body: Any) -> Response:
    team_id = request.path_params["id"]
    if team_id not in world.teams:
        return problem(404, "team_not_found", f"There is no team {team_id}.")
    if request.method == "DELETE":
        del world.teams[team_id]
        return Response(status_code=204)
    if request.method == "PUT":
        current = world.teams[team_id]
        if request.headers.get("If-Match", f'"{current["version"]}"') != f'"{current["version"]}"':
            return problem(412, "version_mismatch", "Someone changed it.")
        current.update(body, version=current["version"] + 1)
    return JSONResponse(world.teams[team_id])


async def execute(world: World, request: Request, body: Any) -> Response:
    team = world.teams.get(request.path_params["id"])
    if team is None:
        return problem(404, "team_not_found", "There is no such team.")
    if team["status"] != "active":
        return problem(409, "team_not_active", "The team is inactive.")
    row = world.start(team, body)
    return JSONResponse({k: v for k, v in row.items() if k not in {"results", "logs"}}, 202)


async def executions(world: World, request: Request, body: Any) -> Response:
    params = request.query_params
    found = [
        {k: v for k, v in row.items() if k not in {"results", "logs"}}
        for row in world.executions.values()
        if params.get("team_id", row["team_id"]) == row["team_id"]
        and ("status" not in params or row["status"] in params.getlist("status"))
    ]
    return page_of("executions", found[::-1], request)


async def execution(world: World, request: Request, body: Any) -> Response:
    return one(row for key, row in world.executions.items() if key == request.path_params["id"])


async def cancel(world: World, request: Request, body: Any) -> Response:
    row = world.executions.get(request.path_params["id"])
    if row is None:
        return problem(404, "execution_not_found", "There is no such execution.")
    if row["status"] in {"completed", "failed"}:
        return problem(409, "execution_finished", f"The execution is already {row['status']}.")
    row["status"] = "cancelled"
    world.emit("execution_status_update", execution_id=row["execution_id"], status="cancelled")
    answer = {"execution_id": row["execution_id"], "status": "cancelled", "cancelled_at": None}
    return JSONResponse(answer)


async def notifications(world: World, request: Request, body: Any) -> Response:
    found = [n for n in world.notifications.values() if not n["read"]]
    shown = found if "unread" in request.query_params else list(world.notifications.values())
    return page_of("notifications", shown, request, unread_count=len(found))


async def read(world: World, request: Request, body: Any) -> Response:
    found = world.notifications.get(request.path_params["id"])
    if found is not None:
        found["read"] = True
    return one([] if found is None else [found])


async def health(world: World, request: Request, body: Any) -> Response:
    return JSONResponse({"status": "ok", "version": "1.0.0", "timestamp": "2026-01-01T00:00:00Z"})


def one(found: Any) -> Response:
    item = next(iter(found), None)
    return (
        problem(404, "not_found", "There is no such thing.") if item is None else JSONResponse(item)
    )


def bearer(request: Request | WebSocket) -> str:
    return request.headers.get("Authorization", "").removeprefix("Bearer ")


def application(worlds: dict[str, World]) -> Starlette:
    open_to_all = {login, refresh, health}

    def route(path: str, handler: Handler, *methods: str, prefix: str = "/api/v1") -> Route:
        async def endpoint(request: Request) -> Response:
            world = worlds[request.path_params["world"]]
            short = request.url.path.removeprefix(f"/{world.name}{prefix}")
            body = json.loads(await request.body() or b"null")
            world.requests.append((request.method, short))
            world.bodies.append(body)
            world.headers.append(dict(request.headers))
            try:
                queue = world.faults[f"{request.method} {short}"]
                fault = queue.popleft() if queue else None
                if fault is not None and not fault.after:
                    return faulty(fault)
                if handler not in open_to_all and bearer(request) not in world.access:
                    return problem(401, "unauthenticated", "The token is missing or has ended.")
                answer = await handler(world, request, body)
                return answer if fault is None else faulty(fault)
            finally:
                world.notify()

        return Route(f"/{{world}}{prefix}{path}", endpoint, methods=list(methods or ("GET",)))

    async def ws(websocket: WebSocket) -> None:
        await events(worlds[websocket.path_params["world"]], websocket)

    return Starlette(
        routes=[
            route("/health", health, prefix=""),
            route("/auth/login", login, "POST"),
            route("/auth/refresh", refresh, "POST"),
            route("/auth/logout", logout, "POST"),
            route("/auth/me", me),
            route("/agents", agents),
            route("/agents/{id}", agent),
            route("/teams", teams, "GET", "POST"),
            route("/teams/{id}", team, "GET", "PUT", "DELETE"),
            route("/teams/{id}/execute", execute, "POST"),
            route("/executions", executions),
            route("/executions/{id}", execution),
            route("/executions/{id}/cancel", cancel, "POST"),
            route("/notifications", notifications),
            route("/notifications/{id}/read", read, "PUT"),
            WebSocketRoute("/{world}/api/v1/ws", ws),
        ]
    )


def faulty(fault: Fault) -> Response:
    if fault.broken:
        return Broken(b"{")
    if isinstance(fault.body, str):
        return Response(fault.body, fault.status, fault.headers, "text/html")
    return JSONResponse(fault.body, fault.status, fault.headers, "application/problem+json")


async def events(world: World, websocket: WebSocket) -> None:
    """One socket: greeting, replay, then live, until somebody ends it."""
    if world.handshake is not None:
        await websocket.send_denial_response(Response(status_code=world.handshake))
        return
    await websocket.accept()
    token = bearer(websocket)
    if token not in world.access:
        await websocket.close(4401, "unauthenticated")
        return
    after = websocket.query_params.get("last_event_id")
    socket = Socket(token, None if after is None else int(after))
    if world.close_with:
        await websocket.close(world.close_with.popleft())
        return
    greet(world, socket)
    world.sockets.append(socket)
    world.past_sockets.append(socket)
    world.notify()
    listener = asyncio.create_task(listen(world, websocket, socket))
    try:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await speak(world, websocket, socket)
    finally:
        listener.cancel()
        world.sockets.remove(socket)
        world.notify()


def greet(world: World, socket: Socket) -> None:
    data = {"user_id": "u-1", "last_event_id": len(world.events), "heartbeat_s": world.heartbeat_s}
    socket.out.put_nowait({"type": "connected", "data": data})
    if socket.after is None:
        return
    if socket.after + 1 < world.kept_from:
        data = {"code": "resync_required", "oldest_event_id": world.kept_from}
        socket.out.put_nowait({"type": "error", "data": data})
        return
    for event in world.events[socket.after :]:
        socket.out.put_nowait(event)


async def speak(world: World, websocket: WebSocket, socket: Socket) -> None:
    while True:
        message = await socket.out.get()
        if isinstance(message, int):
            await websocket.close(message)
            return
        if not world.mute:
            text = message["raw"] if "raw" in message else json.dumps(message)
            await websocket.send_text(text)


async def listen(world: World, websocket: WebSocket, socket: Socket) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            socket.received.append(await websocket.receive_json())
            world.notify()
    socket.out.put_nowait(1000)
