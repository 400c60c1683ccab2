"""Watchers that record what they are told, and cut their own connections at random."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from random import Random

import httpx2

from renum.conformance.recording import Message, Recording
from renum.session import Session
from renum.websocket import Dropped, open_socket

#: A connection is cut after so many messages, at most.
_LONGEST_LIFE = 15
#: And its watcher stays away so long, at most.
_LONGEST_AWAY_S = 0.4
_SILENCE_S = 60.0
_RETRY_S = 0.2


@dataclass(frozen=True, slots=True)
class Connection:
    """An open one: what is told over it, and how to end it without a goodbye."""

    messages: AsyncIterator[Message]
    cut: Callable[[], Awaitable[None]]


Connect = Callable[[int], AbstractAsyncContextManager[Connection]]


class Refused(Exception):
    """The server does not let a watcher in."""


class NotOffered(Exception):
    """The server has no such stream."""


async def record(recording: Recording, connect: Connect, rng: Random, *, cuts: int) -> None:
    """
    Follow a stream until cancelled, coming back after every end with the last id that is known.

    The first *cuts* connections are cut by ourselves, at random. Raises Refused, NotOffered.
    """
    while True:
        life = recording.begin()
        last = rng.randint(1, _LONGEST_LIFE) if cuts > 0 else None
        try:
            async with connect(life.after) as connection:
                async for message in connection.messages:
                    life.messages.append(message)
                    if len(life.messages) == last:
                        cuts -= 1
                        await connection.cut()
                        break
        except (Dropped, httpx2.TransportError) as error:
            if isinstance(error, Dropped) and (error.is_final or error.is_about_token):
                raise Refused(str(error)) from error
        away_s = rng.uniform(0, _LONGEST_AWAY_S) if cuts > 0 else _RETRY_S
        await asyncio.sleep(away_s)


def over_websocket(session: Session) -> Connect:
    """`WS /ws`, resumed by the query parameter `last_event_id`."""

    @asynccontextmanager
    async def connect(after: int) -> AsyncIterator[Connection]:
        token = await session.access_token()
        async with open_socket(session.http, token=token, after=after) as socket:

            async def messages() -> AsyncIterator[Message]:
                while True:
                    yield json.loads(await socket.receive_text(timeout_s=_SILENCE_S))

            yield Connection(messages(), socket.cut)

    return connect


def over_http(session: Session) -> Connect:
    """`GET /events`, resumed by the header `Last-Event-ID`."""

    @asynccontextmanager
    async def connect(after: int) -> AsyncIterator[Connection]:
        headers = {
            "Authorization": f"Bearer {await session.access_token()}",
            "Last-Event-ID": str(after),
        }
        http = session.http
        async with http.connections.sse(
            http.path("events"), headers=headers, timeout=_SILENCE_S
        ) as source:
            status = source.response.status_code
            if status in (404, 405, 406):
                raise NotOffered
            if status != 200:
                raise Refused(f"GET {http.path('events')} is answered with {status}")

            async def messages() -> AsyncIterator[Message]:
                async for event in source:
                    message: Message = json.loads(event.data)
                    if message.get("id") is not None and event.id != str(message["id"]):
                        raise Refused(f"event {message['id']} was sent under the id {event.id!r}")
                    yield message

            yield Connection(messages(), source.response.aclose)

    return connect
