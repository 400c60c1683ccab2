"""What every resource of the API is made with."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar
from urllib.parse import quote
from uuid import uuid4

from renum.models import Answer, Pagination
from renum.parse import parse
from renum.session import Session

LARGEST_PAGE = 100

A = TypeVar("A", bound=Answer)


class Page(Protocol):
    """One page of a list."""

    @property
    def pagination(self) -> Pagination | None: ...


P = TypeVar("P", bound=Page)


class Resource:
    """
    One kind of thing of the API. A new kind is a subclass in a module of its own, with the
    models of its answers; every method is one request unless it says otherwise.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def _ask(
        self,
        model: type[A],
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> A:
        answer = await self._session.send(method, path, params=params, json=json, headers=headers)
        return parse(model, answer)


async def pages(read: Callable[[int], Awaitable[P]]) -> AsyncIterator[P]:
    """Every page from the first on; `read` gets its number."""
    number, last = 1, 1
    while number <= last:
        page = await read(number)
        yield page
        last = page.pagination.pages if page.pagination is not None else number
        number += 1


def part(identifier: str) -> str:
    """An id from outside, made safe as one part of a path."""
    return quote(identifier, safe="")


def keyed(key: str | None) -> dict[str, str]:
    """
    The header that lets a request be sent again without being carried out again.

    Without a key of the caller one is made, so that at least our own tries are safe.
    """
    return {"Idempotency-Key": key or uuid4().hex}


def guarded(version: int | None) -> dict[str, str] | None:
    """The header that refuses a change of anything but this version."""
    return None if version is None else {"If-Match": f'"{version}"'}
