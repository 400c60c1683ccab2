"""A server on loopback that answers what a test tells it to, and remembers what it was asked."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Scripted:
    """`answers` are used up in order; the last one stays."""

    url: str = ""
    answers: list[Callable[[], web.StreamResponse]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    #: While not set, requests hang.
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def will_answer(self, status: int, body: object = None, **headers: str) -> None:
        self.answers.append(lambda: web.json_response(body, status=status, headers=headers))

    def will_say(self, status: int, text: str) -> None:
        self.answers.append(lambda: web.Response(status=status, text=text))

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        path = request.path_qs
        self.asked.append(Asked(request.method, path, dict(request.headers), body))
        await self.go_on.wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer()


@asynccontextmanager
async def scripted_server() -> AsyncIterator[Scripted]:
    scripted = Scripted()
    scripted.go_on.set()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", scripted._handle)
    async with TestServer(app) as server:
        scripted.url = str(server.make_url("")).rstrip("/")
        yield scripted
