"""
What every request and every answer has in common.

A request refuses fields it does not know (a typo must not pass silently) and text that
PostgreSQL cannot store; both wherever they stand, also in free-form objects.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from math import isfinite
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

Loc = tuple[str | int, ...]
_Place = tuple[Any, str | int]
_ENOUGH = 20
_BEGINS_WITH_DATE = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]", re.ASCII)


def storable(text: str) -> str:
    """Return *text*; raises when it holds a NUL or half of a surrogate pair."""
    if problem := _problem_of(text):
        raise problem
    return text


def _as_text(value: object) -> object:
    # Pydantic takes numbers for seconds since 1970, also where they stand in text.
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _BEGINS_WITH_DATE.match(value):
        raise PydanticCustomError("datetime_parsing", "must be a date and time")
    return value


def _in_utc(moment: datetime) -> datetime:
    # PostgreSQL keeps more years than Python has: what it took, nobody could read again.
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("datetime_range", "must be within the years 1 to 9999") from None


#: A moment as RFC 3339 writes it, with its time zone; read as UTC.
Timestamp = Annotated[AwareDatetime, BeforeValidator(_as_text), AfterValidator(_in_utc)]

#: Text from outside of a `Request`: query parameters and headers.
Text = Annotated[str, AfterValidator(storable)]


#: In `Annotated`, for a list made of a set: it is in the same order every time.
InOrder = BeforeValidator(sorted)


class Request(BaseModel):
    """The body of a request."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _can_be_stored(cls, body: object) -> object:
        problems = [
            InitErrorDetails(type=problem, loc=loc, input=None)
            for loc, problem in islice(_problems(body), _ENOUGH)
        ]
        if problems:
            # Pydantic merges these into its own list, each with its place.
            raise ValidationError.from_exception_data(cls.__name__, problems)
        return body


class Answer(BaseModel):
    """
    The body of an answer, read from a domain object.

    Every field is always there, so clients see it as required.
    """

    model_config = ConfigDict(
        from_attributes=True, json_schema_serialization_defaults_required=True
    )


def _problems(body: object) -> Iterator[tuple[Loc, PydanticCustomError]]:
    """
    Every value in parsed JSON that cannot be stored.

    A loop, because the nesting is the caller's; places are chains of (outer, key), because a
    tuple for each of a million deep values would be gigabytes.
    """
    todo: list[tuple[_Place | None, object]] = [(None, body)]
    while todo:
        place, value = todo.pop()
        if problem := _problem_of(value):
            yield _loc(place), problem
        elif isinstance(value, dict):
            for key, child in value.items():
                todo.append(((place, key), child))
                if problem := _problem_of(key):
                    yield _loc((place, key)), problem
        elif isinstance(value, list):
            todo += [((place, index), child) for index, child in enumerate(value)]


def _loc(place: _Place | None) -> Loc:
    keys: list[str | int] = []
    while place is not None:
        place, key = place
        keys.append(key)
    return tuple(reversed(keys))


def _problem_of(value: object) -> PydanticCustomError | None:
    if isinstance(value, str):
        if "\0" in value:
            return PydanticCustomError("nul_character", "must not contain the NUL character")
        if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            return PydanticCustomError("invalid_unicode", "must be valid Unicode text")
    elif isinstance(value, float) and not isfinite(value):
        return PydanticCustomError("not_finite", "must be a finite number")
    return None
