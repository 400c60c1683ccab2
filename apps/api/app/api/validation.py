"""
Pydantic's findings in our words.

Pydantic's own messages quote the input now and then, and a password must not come back in an
answer: so messages come from this table, filled from the rule that was broken, never the value.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from app.domain.errors import Problem

_MAX_PROBLEMS = 50
_MAX_KEY = 100

_MESSAGES = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "string_type": "must be text",
    "string_unicode": "must be valid Unicode text",
    "string_too_short": "must have at least {min_length} character(s)",
    "string_too_long": "must have at most {max_length} character(s)",
    "string_pattern_mismatch": "must match {pattern}",
    "too_short": "must have at least {min_length} item(s)",
    "too_long": "must have at most {max_length} item(s)",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
    "datetime_type": "must be a date and time as 2026-01-31T12:00:00Z",
    "datetime_parsing": "must be a date and time as 2026-01-31T12:00:00Z",
    "datetime_from_date_parsing": "must be a date and time as 2026-01-31T12:00:00Z",
    "datetime_range": "must be within the years 1 to 9999 in UTC",
    "timezone_aware": "must say its time zone, as Z or +00:00",
    "dict_type": "must be an object",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "model_type": "must be an object",
    "model_attributes_type": "must be a JSON object, sent as application/json",
    "dataclass_type": "must be an object",
    "unexpected_keyword_argument": "is not a known field",
    # Ours, from app.schemas.base
    "nul_character": "must not contain the NUL character",
    "invalid_unicode": "must be valid Unicode text",
    "not_finite": "must be a finite number",
}
#: Codes that clients know under our name.
_CODES = {"json_invalid": "malformed_json", "unexpected_keyword_argument": "extra_forbidden"}
_OTHERWISE = "has a value that cannot be accepted"


def problems_in(errors: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """What is wrong and where; at most fifty, so that an answer stays readable."""
    return [_problem(error) for error in errors[:_MAX_PROBLEMS]]


def _problem(error: Mapping[str, Any]) -> Problem:
    kind, context = error["type"], error.get("ctx", {})
    loc = tuple(_key(part) for part in error["loc"])
    if kind == "json_invalid":
        # FastAPI puts the position into the place; the place is the body.
        return Problem(loc[:1], _CODES[kind], f"is not valid JSON at character {error['loc'][1]}")
    if kind in ("value_error", "assertion_error"):
        # Raised by our own validators, whose messages hold no input.
        return Problem(loc, "value_error", str(context["error"]))
    message = _MESSAGES.get(kind, _OTHERWISE).format_map(context)
    return Problem(loc, _CODES.get(kind, kind), message)


def _key(part: str | int) -> str | int:
    """A step of a place; keys of unknown fields are the client's, so they may be anything."""
    if isinstance(part, int):
        return part
    return part[:_MAX_KEY].encode("utf-8", "replace").decode()
