"""
An agent service that does nothing but take time: `uvicorn bench.agents:app`.

`POST /agents/{id}/execute?ms=50` waits and answers about 1 KB of text, and so does
`GET /executions/{id}` of what was executed; `GET /agents` lists 20 agents, and `GET /agents/{id}`
is one of them. Plain ASGI, so that it costs as little as it can beside what is measured.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from uuid import uuid4

_Message = MutableMapping[str, Any]

_ANSWER = {"status": "completed", "output": "A slogan for the product. " * 40}
_ALL = [
    {
        "agent_id": f"5a4d0001-0000-4000-8000-{i:012d}",
        "name": f"Agent {i}",
        "description": "Writes what marketing needs",
        "tags": ["marketing"],
        "agentpress_tools": {"web_search_tool": True, "browser_tool": True},
    }
    for i in range(20)
]
_AGENTS = json.dumps(
    {"agents": _ALL, "pagination": {"page": 1, "limit": 100, "total": 20, "pages": 1}}
).encode()
_AGENT = json.dumps(_ALL[0]).encode()


async def app(
    scope: _Message,
    receive: Callable[[], Awaitable[_Message]],
    send: Callable[[_Message], Awaitable[None]],
) -> None:
    if scope["type"] == "lifespan":
        return
    path: str = scope["path"]
    if path.endswith("/agents"):
        body = _AGENTS
    elif "/executions/" in path:
        body = json.dumps(_ANSWER).encode()
    elif scope["method"] == "GET":
        body = _AGENT
    else:
        while (await receive()).get("more_body"):
            pass
        body = json.dumps({"execution_id": str(uuid4()), **_ANSWER}).encode()
        if ms := float(scope["query_string"].removeprefix(b"ms=") or 0):
            await asyncio.sleep(ms / 1000)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
