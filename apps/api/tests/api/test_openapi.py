"""The document of the API: complete, and true about its errors."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.api.errors import problem, status_of
from app.api.examples.problems import EXTRAS
from app.core.settings import Settings
from app.domain.errors import Invalid, RenumError
from app.domain.users import InvalidCredentials, InvalidToken, UserBanned
from app.main import create_app

DOCUMENT = create_app(Settings.model_construct(), worker=False).openapi()


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def codes(operation: dict[str, Any], status: str) -> set[str]:
    content = operation["responses"][status]["content"]["application/problem+json"]
    assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
    return set(content["examples"])


def test_errors_of_one_status_are_examples_of_one_answer() -> None:
    documented = problem(InvalidCredentials, InvalidToken, UserBanned)
    assert list(documented) == [401, 403]
    examples = documented[401]["content"]["application/problem+json"]["examples"]
    assert list(examples) == ["invalid_credentials", "invalid_token"]
    assert examples["invalid_token"] == {
        "summary": "The access token does not hold",
        "value": {
            "type": "/errors/invalid_token",
            "title": "The access token does not hold",
            "status": 401,
            "detail": "The access token is missing, malformed, expired, or not ours.",
            "instance": "/api/v1/...",
            "code": "invalid_token",
            "request_id": "0199c4f6-7d3e-7a51-9c55-0f6f3f6d2b11",
        },
    }


def test_operations_have_their_own_names() -> None:
    ids = [operation["operationId"] for _, operation in operations()]
    assert len(ids) == len(set(ids))
    assert {"login", "refresh", "logout", "me", "health", "ready", "services_health"} <= set(ids)


@pytest.mark.parametrize(
    ("name", "operation"), [pytest.param(*pair, id=pair[0]) for pair in operations()]
)
def test_every_operation_says_how_it_can_fail(name: str, operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"]
    assert "Successful Response" not in str(operation["responses"])
    assert codes(operation, "500") == {"internal_error"}
    if {"access_token": []} in operation.get("security", []):
        assert {"unauthenticated", "invalid_token"} <= codes(operation, "401")
        assert {"auth_unavailable", "database_unavailable"} <= codes(operation, "503")
    if "requestBody" in operation:
        assert codes(operation, "413") == {"body_too_large"}
        assert {"malformed_json", "validation_error"} <= codes(operation, "422")
    if "parameters" in operation:
        assert "validation_error" in codes(operation, "422")


def test_everything_but_signing_in_and_health_needs_a_token() -> None:
    open_to_all = {
        name for name, o in operations() if {"access_token": []} not in o.get("security", [])
    }
    assert open_to_all == {
        "post /api/v1/auth/login",
        "post /api/v1/auth/refresh",
        "get /health",
        "get /health/ready",
        "get /health/services",
    }


def test_there_is_one_shape_of_errors() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert {"Problem", "ProblemPlace"} <= schemas.keys()
    assert "HTTPValidationError" not in str(DOCUMENT)
    required = {"type", "title", "status", "detail", "instance", "code", "request_id"}
    assert set(schemas["Problem"]["required"]) == required


def test_answers_have_no_optional_fields() -> None:
    session = DOCUMENT["components"]["schemas"]["SessionAnswer"]
    assert set(session["required"]) == set(session["properties"])


def test_both_tokens_are_security_schemes() -> None:
    schemes = DOCUMENT["components"]["securitySchemes"]
    assert {name: (s["type"], s["scheme"]) for name, s in schemes.items()} == {
        "access_token": ("http", "bearer"),
        "refresh_token": ("http", "bearer"),
    }


def test_the_prefix_is_a_setting() -> None:
    document = create_app(Settings(_env_file=None, api_prefix="/renum"), worker=False).openapi()
    assert "/renum/auth/login" in document["paths"]
    assert "POST /renum/auth/login" in document["info"]["description"]
    assert "/health" in document["paths"]


def _subclasses(kind: type[RenumError]) -> Iterator[type[RenumError]]:
    for sub in kind.__subclasses__():
        yield sub
        yield from _subclasses(sub)


def test_codes_are_unique_and_have_titles() -> None:
    """`code` is what clients branch on."""
    named = {
        e for e in _subclasses(RenumError) if "code" in vars(e) and e.__module__.startswith("app.")
    }
    assert len({e.code for e in named}) == len(named)
    assert {e.code for e in named if issubclass(e, Invalid)} == {
        code for code, extras in EXTRAS.items() if "errors" in extras
    }
    # Not inherited: examples quote it.
    assert all(e.__doc__ and e.__doc__.strip() for e in named)
    assert all(e.title and e.code == e.code.lower() and " " not in e.code for e in named)
    assert all(status_of(e) >= 400 for e in named)
