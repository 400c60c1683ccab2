"""Server-sent events, followed over lost connections."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

import httpx2

from renum.errors import ApiError
from renum.http import problem_of
from renum.models import Event
from renum.parse import parse
from renum.session import Session
from renum.timing import backoff_s

# The server sends a sign of life every 20 s.
_SILENCE_S = 60.0
_PASSING = frozenset({429, 502, 503, 504})


async def follow(
    session: Session, path: str, *, after: int | None, types: Sequence[str] | None = None
) -> AsyncIterator[Event]:
    """
    The events of a stream after number `after`, until the server says that none will follow.

    A connection that is lost, or refused for the moment, comes back and resumes.

    Raises:
        ApiError: the server refuses for good; Unauthorized also after one renewal.
    """
    http, timing, failures, renewed = session.http, session.timing, 0, False
    while True:
        token = await session.access_token()
        headers = {"Authorization": f"Bearer {token}"}
        if after is not None:
            headers["Last-Event-ID"] = str(after)
        params = {"types": [*types]} if types else None
        try:
            async with http.connections.sse(
                http.path(path), headers=headers, params=params, timeout=_SILENCE_S
            ) as source:
                if source.response.status_code == httpx2.codes.NO_CONTENT:
                    return
                if not source.response.is_success:
                    await source.response.aread()
                    raise problem_of(source.response)
                async for message in source:
                    event = parse(Event, json.loads(message.data))
                    if event.type != "connected":  # a mere greeting proves too little
                        failures, renewed = 0, False
                    if message.id.isdecimal():
                        after = int(message.id)
                    yield event
        except ApiError as error:
            if error.status == httpx2.codes.UNAUTHORIZED and session.can_renew and not renewed:
                await session.renew(token)
                renewed = True
                continue
            if error.status not in _PASSING:
                raise
        except httpx2.TransportError:
            pass  # resumed below, after what was seen last
        failures += 1
        await asyncio.sleep(
            backoff_s(failures, base_s=timing.reconnect_base_s, cap_s=timing.reconnect_cap_s)
        )
