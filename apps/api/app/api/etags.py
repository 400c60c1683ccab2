"""`ETag`, `If-Match`, `If-None-Match` of teams: the version, in quotes (RFC 9110, §8.8, §13)."""

import re
from typing import Annotated

from fastapi import Depends, Header

from app.domain.errors import Invalid

_TAG = r'(?:W/)?"[\x21\x23-\x7e]*"'
_TAGS = re.compile(rf"\s*{_TAG}\s*(?:,\s*{_TAG}\s*)*")
_STRONG = re.compile(r'(W/)?"([^"]*)"')


def etag_of(version: int) -> str:
    return f'"{version}"'


class MalformedIfMatch(Invalid):
    """`If-Match` takes entity tags in quotes, such as "3", or `*`."""

    code = "malformed_if_match"
    title = "If-Match is malformed"


async def _if_match(
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
    if if_match is None or if_match.strip() == "*":
        return None
    if not _TAGS.fullmatch(if_match):
        raise MalformedIfMatch('If-Match takes entity tags in quotes, such as "3", or *.', ())
    # Weak ones never match here (RFC 9110, §13.1.1).
    return frozenset(tag for weak, tag in _STRONG.findall(if_match) if not weak)


async def _if_none_match(
    if_none_match: Annotated[
        str | None,
        Header(max_length=1_000, description="The `ETag` that you have: 304 if current."),
    ] = None,
) -> frozenset[str]:
    """The versions that the caller has already."""
    return frozenset(tag for _, tag in _STRONG.findall(if_none_match or ""))


IfMatch = Annotated[frozenset[str] | None, Depends(_if_match)]
IfNoneMatch = Annotated[frozenset[str], Depends(_if_none_match)]
