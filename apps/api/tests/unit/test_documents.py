"""The committed OpenAPI and AsyncAPI documents are those of the code."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from app.api.live.asyncapi import asyncapi
from app.core.settings import Settings
from app.domain.errors import RenumError
from app.main import create_app
from app.schemas.live import Said
from app.schemas.team_file import team_file_schema
from tests.asyncapi import Contract

DOCS = Path(__file__).parents[4] / "docs"
SETTINGS = Settings.model_construct()


def committed(name: str) -> Any:
    return json.loads((DOCS / name).read_text())


def test_the_committed_openapi_document_is_true() -> None:
    """When this fails: make openapi, and look at the difference as a client would."""
    served = create_app(SETTINGS, worker=False).openapi()
    assert committed("openapi.json") == json.loads(json.dumps(served))


def test_the_committed_asyncapi_document_is_true() -> None:
    """When this fails: make openapi, and look at the difference as a client would."""
    assert committed("asyncapi.json") == json.loads(json.dumps(asyncapi(SETTINGS)))


def test_the_committed_schema_of_team_files_is_true() -> None:
    """When this fails: make openapi, and look at the difference as an editor would."""
    assert committed("team.schema.json") == team_file_schema()


@pytest.mark.parametrize("example", sorted((DOCS / "examples").glob("*.yaml")))
def test_the_example_teams_fit_the_schema(example: Path) -> None:
    validator = Draft202012Validator(committed("team.schema.json"))
    team = yaml.safe_load(example.read_text())
    validator.validate(team)
    both = {**team["agents"][0], "agent_id": "5a4d0001-0000-4000-8000-000000000001"}
    assert not validator.is_valid({**team, "agents": [both]})
    assert not validator.is_valid({**team, "agents": [{"role": "leader"}]})
    assert not validator.is_valid({**team, "nmae": "x"})


def test_every_reference_in_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi(SETTINGS)

    def references(part: Any) -> list[str]:
        if isinstance(part, list):
            return [r for child in part for r in references(child)]
        if not isinstance(part, dict):
            return []
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [r for child in part.values() for r in references(child)]

    found = references(document)
    assert len(found) > 50
    for reference in found:
        place = document
        for name in reference.removeprefix("#/").split("/"):
            place = place[name]


def test_the_asyncapi_document_knows_everything_that_is_said() -> None:
    messages = asyncapi(SETTINGS)["components"]["messages"]
    assert {c.message_type for c in Said.__subclasses__()} <= set(messages)


def test_a_message_that_breaks_the_contract_is_noticed() -> None:
    """The check that every other test of the stream relies on."""

    async def nothing(*_: object) -> None: ...

    good = {"type": "heartbeat", "timestamp": "2026-03-01T12:00:00Z", "data": {"last_event_id": 1}}
    for change, problem in (
        ({}, ""),
        ({"id": 7}, "Additional properties are not allowed"),
        ({"data": {}}, "'last_event_id' is a required property"),
        ({"data": {"last_event_id": "1"}}, "is not of type 'integer'"),
        ({"data": {"last_event_id": 1, "more": 1}}, "Additional properties are not allowed"),
        ({"type": "dance"}, "does not send dance"),
        ({"type": "stream_end"}, "does not send stream_end"),
    ):
        contract = Contract(nothing)
        contract.check("socket", json.dumps({**good, **change}))
        assert bool(contract.broken) == bool(problem)
        assert problem in " ".join(contract.broken)


def test_every_code_of_an_error_is_explained() -> None:
    """In docs/errors.md: clients branch on it, and people look it up."""

    def below(kind: type[RenumError]) -> Iterator[type[RenumError]]:
        for child in kind.__subclasses__():
            yield child
            yield from below(child)

    explained = set(re.findall(r"^### (\w+)$", (DOCS / "errors.md").read_text(), re.MULTILINE))
    codes = {c.code for c in below(RenumError) if hasattr(c, "code") and c.__module__[:4] == "app."}
    assert len(codes) > 30
    assert codes - explained == set()
