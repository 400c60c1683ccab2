"""Conditions: the grammar of fields, every operator, and that nothing is an error."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.conditions import Condition, Operator

FACTS: dict[str, Any] = {
    "initial_prompt": "Sell product X",
    "context": {
        "n": 10,
        "text": "10",
        "underscored": "1_000",
        "infinite": "Infinity",
        "flags": [True],
        "float": 2.5,
        "list": ["a", 1, None, {"deep": "yes"}],
        "object": {"inner": {"x": 1}},
        "true": True,
        "null": None,
        "empty": "",
        "zero": 0,
    },
    "results": {
        "json": {
            "status": "completed",
            "output": json.dumps({"score": 85, "items": [{"name": "x"}], "none": None}),
        },
        "text": {"status": "failed", "output": "42"},
        "plain": {"status": "completed", "output": "not {json"},
        "silent": {"status": "pending", "output": None},
        "deep": {"status": "completed", "output": "[" * 100_000},
    },
}


def holds(field: str, operator: str, value: object = None) -> bool:
    condition = Condition(field=field, operator=Operator(operator), value=value)
    assert condition.fault() is None
    return condition.holds(FACTS)


@pytest.mark.parametrize(
    ("field", "operator", "value", "expected"),
    [
        ("initial_prompt", "equals", "Sell product X", True),
        ("initial_prompt", "equals", "sell product x", False),
        ("initial_prompt", "contains", "product", True),
        ("initial_prompt", "contains", 1, False),
        ("initial_prompt", "not_contains", "service", True),
        ("initial_prompt", "starts_with", "Sell", True),
        ("initial_prompt", "starts_with", "sell", False),
        ("context.n", "equals", 10, True),
        ("context.n", "equals", 10.0, True),
        ("context.n", "equals", "10", False),
        ("context.text", "equals", 10, True),
        ("context.text", "equals", "10", True),
        ("context.text", "not_equals", 10, False),
        ("context.text", "greater_than", 9, True),
        ("context.underscored", "equals", 1000, False),
        ("context.infinite", "greater_than", 5, False),
        ("context.flags", "equals", [True], True),
        ("context.flags", "equals", [1], False),
        ("context.object", "equals", {"inner": {"x": 1}}, True),
        ("context.object", "equals", {"inner": {"x": True}}, False),
        ("context.text", "greater_than", "9", False),  # both texts: compared as texts
        ("context.n", "greater_than", 9, True),
        ("context.n", "greater_than", 10, False),
        ("context.n", "greater_or_equal", 10, True),
        ("context.n", "less_than", 10.5, True),
        ("context.n", "less_than", 10, False),
        ("context.n", "less_or_equal", 10, True),
        ("context.n", "less_or_equal", 9, False),
        ("context.n", "less_than", "z", False),  # a number is not ordered among texts
        ("context.true", "greater_than", 0, False),
        ("context.true", "equals", True, True),
        ("context.true", "equals", 1, False),
        ("context.n", "in", [1, 10], True),
        ("context.n", "in", [], False),
        ("context.n", "not_in", [1, 2], True),
        ("context.text", "in", [10], True),
        ("context.list", "contains", "a", True),
        ("context.list", "contains", 1, True),
        ("context.list", "contains", "b", False),
        ("context.list", "not_contains", "b", True),
        ("context.list.0", "equals", "a", True),
        ("context.list.3.deep", "equals", "yes", True),
        ("context.list.9", "exists", None, False),
        ("context.object", "contains", "inner", True),
        ("context.object.inner.x", "equals", 1, True),
        ("context.empty", "exists", None, True),
        ("context.zero", "exists", None, True),
        ("context.null", "exists", None, False),
        ("context.null", "not_exists", None, True),
        ("results.json.status", "equals", "completed", True),
        ("results.text.status", "in", ["failed", "skipped"], True),
        ("results.json.json.score", "greater_or_equal", 80, True),
        ("results.json.json.items.0.name", "equals", "x", True),
        ("results.json.json.items", "contains", {"name": "x"}, True),
        ("results.json.json.none", "exists", None, False),
        ("results.json.json", "exists", None, True),
        ("results.json.output", "contains", "score", True),
        ("results.text.output", "greater_than", 41, True),
        ("results.text.json", "equals", 42, True),
        ("results.plain.json.score", "exists", None, False),
        ("results.deep.json.score", "exists", None, False),
        ("results.silent.output", "exists", None, False),
        ("results.silent.json.a", "not_exists", None, True),
        ("results.nobody.status", "equals", "completed", False),
    ],
)
def test_what_holds(field: str, operator: str, value: object, expected: bool) -> None:
    assert holds(field, operator, value) is expected


@pytest.mark.parametrize("field", ["context.gone", "results.silent.output", "results.x.json.y"])
@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("equals", "x", False),
        ("not_equals", "x", True),
        ("contains", "x", False),
        ("not_contains", "x", True),
        ("starts_with", "", False),
        ("greater_than", 0, False),
        ("greater_or_equal", 0, False),
        ("less_than", 0, False),
        ("less_or_equal", 0, False),
        ("in", [None, "x"], False),
        ("not_in", ["x"], True),
        ("exists", None, False),
        ("not_exists", None, True),
    ],
)
def test_a_missing_field_is_unequal_to_everything(
    field: str, operator: str, value: object, expected: bool
) -> None:
    assert holds(field, operator, value) is expected


def test_every_operator_stands_in_the_tables() -> None:
    assert len(Operator) == 13


@pytest.mark.parametrize(
    ("field", "source"),
    [
        ("initial_prompt", None),
        ("context.a.b", None),
        ("results.a.status", "a"),
        ("results.a-b_1.output", "a-b_1"),
        ("results.a.json", "a"),
        ("results.a.json.x.0.y", "a"),
    ],
)
def test_fields_of_the_grammar(field: str, source: str | None) -> None:
    condition = Condition(field=field, operator=Operator.EXISTS)
    assert condition.fault() is None
    assert condition.source == source


@pytest.mark.parametrize(
    "field",
    [
        "",
        "prompt",
        "initial_prompt.x",
        "context",
        "context.",
        "results",
        "results.a",
        "results.a.",
        "results.A.output",
        "results.a.output.x",
        "results.a.json.",
        "results..output",
        "results.a.error",
        " initial_prompt",
        "initial_prompt\n",
    ],
)
def test_fields_outside_of_the_grammar_are_named(field: str) -> None:
    fault = Condition(field=field, operator=Operator.EXISTS).fault()
    assert fault is not None
    assert fault[0] == "field"


@pytest.mark.parametrize(
    ("operator", "value"),
    [
        ("in", "x"),
        ("in", None),
        ("not_in", {"a": 1}),
        ("greater_than", None),
        ("less_than", True),
        ("greater_or_equal", []),
        ("less_or_equal", {}),
        ("starts_with", 1),
        ("equals", None),
        ("not_equals", None),
        ("contains", None),
        ("equals", [[[[[[1]]]]]]),
    ],
)
def test_values_of_a_wrong_type_are_named(operator: str, value: object) -> None:
    condition = Condition(field="context.a", operator=Operator(operator), value=value)
    fault = condition.fault()
    assert fault is not None
    assert fault[0] == "value"


@pytest.mark.parametrize(
    ("operator", "value"),
    [("equals", "complete"), ("not_equals", "done"), ("in", ["failed", "broken"]), ("equals", 1)],
)
def test_a_status_that_does_not_exist_is_named(operator: str, value: object) -> None:
    condition = Condition(field="results.a.status", operator=Operator(operator), value=value)
    fault = condition.fault()
    assert fault is not None
    assert fault[0] == "value"
    assert "completed, failed, skipped" in fault[1]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
PATHS = st.sampled_from(["a", "a.0", "0.a.1", "a..b", "²", "-1", "٣"]) | st.text(min_size=1)
FIELDS = st.one_of(
    st.just("initial_prompt"),
    PATHS.map(lambda path: f"context.{path}"),
    PATHS.map(lambda path: f"results.a.json.{path}"),
    st.sampled_from(["results.a.status", "results.a.output", "results.a.json", "results.b.output"]),
)
FACT = st.one_of(JSON, st.integers(), st.sampled_from(["1e400", "nan", "9" * 400, "٣"]))


@given(
    field=FIELDS,
    operator=st.sampled_from(Operator),
    value=JSON,
    context=st.dictionaries(st.sampled_from(["a", "0", "²", ""]) | st.text(), FACT, max_size=4),
    output=st.none() | st.text() | FACT.map(json.dumps) | JSON.map(json.dumps),
)
def test_deciding_never_raises(
    field: str, operator: Operator, value: object, context: dict[str, object], output: str | None
) -> None:
    facts = {
        "initial_prompt": "x",
        "context": context,
        "results": {"a": {"status": "completed", "output": output}},
    }
    condition = Condition(field=field, operator=operator, value=value)
    assert condition.holds(facts) in (True, False)
    condition.fault()


@pytest.mark.parametrize("index", ["9" * 480, "²", "٣", "-1", "1.5"])
def test_strange_indexes_are_missing_and_no_error(index: str) -> None:
    facts = {"initial_prompt": "", "context": {"a": ["x"]}, "results": {}}
    condition = Condition(field=f"context.a.{index}", operator=Operator.EXISTS)
    assert condition.holds(facts) is False


@pytest.mark.parametrize("number", [10**400, -(10**400)])
@pytest.mark.parametrize("operator", ["equals", "in", "greater_than", "less_or_equal"])
def test_huge_numbers_are_no_error(number: int, operator: str) -> None:
    facts = {"initial_prompt": "", "context": {"a": "1", "b": number}, "results": {}}
    for field in ("context.a", "context.b"):
        value: object = [number] if operator == "in" else number
        condition = Condition(field=field, operator=Operator(operator), value=value)
        assert condition.holds(facts) in (True, False)
