"""The header `Idempotency-Key` of requests that make something (api.md §1)."""

import hashlib
import json
from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from starlette.requests import HTTPConnection

from app.api.deps import Call, SignedIn
from app.api.etags import etag_of
from app.domain.idempotency import (
    IdempotencyKeyInProgress,
    IdempotencyKeyReused,
    Once,
    Replayed,
    StoredAnswer,
)
from app.usecases.idempotency import Idempotent

T = TypeVar("T")

REPLAYED = "Idempotency-Replayed"

#: What an operation that takes the header can answer.
ONCE_PROBLEMS = (IdempotencyKeyReused, IdempotencyKeyInProgress)


def _as_meant(body: bytes) -> bytes:
    """The same for the same JSON, whatever its spaces and the order of its fields."""
    try:
        return json.dumps(json.loads(body), sort_keys=True).encode()
    except (ValueError, RecursionError):
        # Empty, or to be refused by the operation, if it takes a body at all.
        return body


class WriteOnce:
    """Makes the `Idempotent` of a request."""

    def __init__(self, once: Once | None, call: SignedIn) -> None:
        self._once = once
        self._call = call

    def answering(
        self, model: type[BaseModel], status: int, location: Callable[[T], str]
    ) -> Idempotent[T]:
        """For a write whose result is answered as *model*."""

        def answer(result: T) -> StoredAnswer:
            body = model.model_validate(result).model_dump_json().encode()
            return StoredAnswer(status, location(result), body)

        return Idempotent(self._once, answer, self._call.user.id, self._call.services.clock())


async def _write_once(
    request: Request,
    call: Call,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            pattern=r"^[\x21-\x7e]+$",
            description="The same key with the same request answers the first answer again, for "
            "24 hours: safe to send again when no answer came.",
            examples=["5f7c1d9a-launch"],
        ),
    ] = None,
) -> WriteOnce:
    if idempotency_key is None:
        return WriteOnce(None, call)
    request_line = f"{request.method} {request.scope['path']}\n".encode()
    asked = request_line + _as_meant(await request.body())
    return WriteOnce(Once(idempotency_key, hashlib.sha256(asked).digest()), call)


MayRepeat = Annotated[WriteOnce, Depends(_write_once)]


def response_of(answer: StoredAnswer) -> Response:
    """What is answered, the first time."""
    headers = {"Location": answer.location}
    if answer.status == 201:  # a team, which begins with version 1
        headers["ETag"] = etag_of(1)
    return Response(answer.body, answer.status, headers, media_type="application/json")


async def replay(_: HTTPConnection, replayed: Exception) -> Response:
    """What is answered from then on; the handler of `Replayed`."""
    assert isinstance(replayed, Replayed)  # noqa: S101  registered for it alone
    response = response_of(replayed.answer)
    response.headers[REPLAYED] = "true"
    return response
