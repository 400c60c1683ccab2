"""Every operation of the document has examples, and they keep to its schemas to the letter."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from app.api.examples.answers import ANSWERS, FAILURES, TEXTS
from app.api.examples.requests import REQUESTS
from app.core.settings import Settings
from app.main import create_app
from tests.asyncapi import Contract, closed

DOCUMENT = create_app(Settings.model_construct(), worker=False).openapi()
COMPONENTS = closed(DOCUMENT["components"])
OPERATIONS = [operation for methods in DOCUMENT["paths"].values() for operation in methods.values()]


def shown(operation: dict[str, Any]) -> Iterator[tuple[str, str, Any, Any]]:
    """Status, media type, schema and example, for all that an operation takes and answers."""
    answers = list(operation["responses"].items())
    for status, part in [("body", operation.get("requestBody", {})), *answers]:
        for media_type, content in part.get("content", {}).items():
            if "examples" not in content:
                yield status, media_type, content["schema"], content.get("example")
            for reference in content.get("examples", {}).values():
                name = reference["$ref"].removeprefix("#/components/examples/")
                example = DOCUMENT["components"]["examples"][name]["value"]
                yield status, media_type, content["schema"], example


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o["operationId"])
def test_every_body_has_an_example_that_keeps_to_its_schema(operation: dict[str, Any]) -> None:
    seen = 0
    for status, media_type, schema, example in shown(operation):
        assert example is not None, (status, media_type)
        validator = Draft202012Validator(
            {**closed(schema), "components": COMPONENTS},
            format_checker=Draft202012Validator.FORMAT_CHECKER,
        )
        assert [e.message for e in validator.iter_errors(example)] == []
        if media_type == "application/problem+json":
            assert str(example["status"]) == status
        seen += 1
    assert seen > 1


def test_a_field_that_the_schema_does_not_know_is_noticed() -> None:
    """The check above would see a field that was taken away, and one of another type."""
    schema = {"$ref": "#/components/schemas/ExecutionAnswer", "components": COMPONENTS}
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    good = ANSWERS["get_execution"]
    assert validator.is_valid(good)
    assert not validator.is_valid({**good, "more": 1})
    assert not validator.is_valid({**good, "results": [{**good["results"][0], "more": 1}]})
    assert not validator.is_valid({**good, "seq": "14"})
    assert not validator.is_valid({**good, "team_id": "none"})


def test_no_example_is_left_over() -> None:
    used = {id(example) for operation in OPERATIONS for _, _, _, example in shown(operation)}
    for examples in (REQUESTS, ANSWERS, FAILURES, TEXTS):
        assert [name for name, example in examples.items() if id(example) not in used] == []


@pytest.mark.parametrize(
    ("name", "channel"),
    [("follow_events", "events"), ("follow_execution_events", "executionEvents")],
)
def test_the_events_keep_to_the_document_of_the_stream(name: str, channel: str) -> None:
    contract = Contract(create_app(Settings.model_construct(), worker=False))
    streamed = [
        line.removeprefix("data: ")
        for line in TEXTS[name].splitlines()
        if line.startswith("data: ")
    ]
    assert len(streamed) > 1
    for text in streamed:
        contract.check(channel, text)
    for event in ANSWERS[name]["events"]:
        contract.check(channel, json.dumps(event))
    assert contract.broken == []
