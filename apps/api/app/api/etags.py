"""`ETag`, `If-Match`, `If-None-Match` of teams: the version, in quotes (RFC 9110, §8.8, §13)."""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request

from app.domain.errors import Invalid

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
# With empty elements, which a list may have (RFC 9110, §5.6.1.2).
_TAGS = re.compile(rf"[\s,]*{_TAG}(?:\s*,[\s,]*{_TAG})*[\s,]*")
_STRONG = re.compile(r'(W/)?"([^"]*)"')


def etag_of(version: int) -> str:
    return f'"{version}"'


@dataclass(frozen=True, slots=True)
class Known:
    """What a caller says to have already."""

    #: Whatever there is (`*`).
    any: bool
    tags: frozenset[str]

    def __contains__(self, version: int) -> bool:
        return self.any or str(version) in self.tags


class MalformedIfMatch(Invalid):
    """`If-Match` takes entity tags in quotes, such as "3", or `*`."""

    code = "malformed_if_match"
    title = "If-Match is malformed"


async def _if_match(
    request: Request,
    if_match: Annotated[
        str | None,
        Header(
            max_length=1_000,
            description="The `ETag` that you have; refused with 412 when the team has changed.",
            examples=['"3"'],
        ),
    ] = None,
) -> frozenset[str] | None:
    """The versions that will do; None means any."""
    if if_match is None:
        return None
    given = _whole(request, "if-match")
    if given == "*":
        return None
    if not _TAGS.fullmatch(given):
        raise MalformedIfMatch('If-Match takes entity tags in quotes, such as "3", or *.', ())
    # Weak ones never match here (RFC 9110, §13.1.1).
    return frozenset(tag for weak, tag in _STRONG.findall(given) if not weak)


async def _if_none_match(
    request: Request,
    if_none_match: Annotated[
        str | None,
        Header(max_length=1_000, description="The `ETag` that you have: 304 if current."),
    ] = None,
) -> Known:
    """The versions that the caller has already."""
    given = _whole(request, "if-none-match") if if_none_match else ""
    return Known(any=given == "*", tags=frozenset(tag for _, tag in _STRONG.findall(given)))


def _whole(request: Request, header: str) -> str:
    """A list may come in several lines (RFC 9110, §5.3), of which a parameter is the first."""
    return ",".join(request.headers.getlist(header)).strip()


IfMatch = Annotated[frozenset[str] | None, Depends(_if_match)]
IfNoneMatch = Annotated[Known, Depends(_if_none_match)]
