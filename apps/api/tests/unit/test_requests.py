"""What every request body is checked for, and how a refusal reads."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from app.api.validation import problems_in
from app.domain.errors import Problem
from app.schemas.base import Request, Text


class Inner(Request):
    values: dict[str, Any]


class Outer(Request):
    name: str
    inner: Inner


def refusals(body: object) -> list[Problem]:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(body)
    return problems_in(caught.value.errors())


def a_body(**values: object) -> dict[str, object]:
    return {"name": "n", "inner": {"values": values}}


def test_plain_bodies_pass() -> None:
    body = a_body(a=["é", 1, 2.5, None, {"b": True}], emoji="🎉")
    assert Outer.model_validate(body).model_dump() == body


@pytest.mark.parametrize(
    ("body", "loc", "code"),
    [
        (a_body() | {"name": "a\0"}, ("name",), "nul_character"),
        (a_body(k=[0, {"x": "\0"}]), ("inner", "values", "k", 1, "x"), "nul_character"),
        (a_body(**{"\0": 1}), ("inner", "values", "\0"), "nul_character"),
        (a_body(k="\ud800"), ("inner", "values", "k"), "invalid_unicode"),
        (a_body(k=float("nan")), ("inner", "values", "k"), "not_finite"),
        (a_body(k=[float("-inf")]), ("inner", "values", "k", 0), "not_finite"),
        (a_body() | {"nmae": 1}, ("nmae",), "extra_forbidden"),
        ({"inner": {"values": {}}}, ("name",), "missing"),
    ],
)
def test_what_cannot_be_stored_or_understood_is_refused_with_its_place(
    body: object, loc: tuple[str | int, ...], code: str
) -> None:
    (problem,) = refusals(body)
    assert (problem.loc, problem.code) == (loc, code)


def test_a_place_deeper_than_python_recurses() -> None:
    deep: object = "\0"
    for _ in range(5000):
        deep = [deep]
    (problem,) = refusals(a_body(deep=deep))
    assert problem.code == "nul_character"
    assert len(problem.loc) == 5003


def test_a_flood_of_problems_is_cut_off() -> None:
    assert len(refusals(a_body(k=["\0"] * 1000))) == 20
    unknown = {f"k{i}": 1 for i in range(1000)}
    assert len(refusals(a_body() | unknown)) == 50


def test_text_from_elsewhere_is_checked_alike() -> None:
    text = TypeAdapter(Text)
    assert text.validate_python("ok") == "ok"
    with pytest.raises(ValidationError, match="NUL"):
        text.validate_python("a\0")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_values)
def test_what_passes_can_be_stored(value: object) -> None:
    """As UTF-8 without NUL and as strict JSON: PostgreSQL takes nothing else."""
    try:
        Outer.model_validate(a_body(k=value))
    except ValidationError:
        return
    encoded = json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    assert b"\\u0000" not in encoded


class Rules(Request):
    short: str
    number: int


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            {"type": "string_too_short", "ctx": {"min_length": 3}},
            "must have at least 3 character(s)",
        ),
        ({"type": "less_than_equal", "ctx": {"le": 100}}, "must be 100 or less"),
        ({"type": "enum", "ctx": {"expected": "'a' or 'b'"}}, "must be 'a' or 'b'"),
        ({"type": "uuid_parsing", "ctx": {"error": "found `hunter2`"}}, "must be a UUID"),
        ({"type": "from_the_future", "msg": "hunter2"}, "has a value that cannot be accepted"),
        ({"type": "value_error", "ctx": {"error": ValueError("is our word")}}, "is our word"),
    ],
)
def test_messages_are_ours_and_hold_no_input(error: dict[str, Any], message: str) -> None:
    (problem,) = problems_in([{"loc": ("body", "x"), "input": "hunter2", "msg": "?", **error}])
    assert problem == Problem(("body", "x"), error["type"], message)


def test_the_position_of_broken_json_is_told() -> None:
    error = {"type": "json_invalid", "loc": ("body", 17), "msg": "?", "ctx": {"error": "?"}}
    assert problems_in([error]) == [
        Problem(("body",), "malformed_json", "is not valid JSON at character 17")
    ]


def test_a_key_of_a_client_is_cut_and_made_valid() -> None:
    (problem,) = problems_in([{"type": "extra_forbidden", "loc": ("\ud800" + "x" * 500,)}])
    assert problem.loc == ("?" + "x" * 99,)
