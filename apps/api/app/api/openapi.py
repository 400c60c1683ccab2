"""
The OpenAPI document, completed with what FastAPI cannot know.

Operations name the errors of their own; what follows from their form (a token, a body,
parameters) is added here, so that no router can forget it.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from app.api.errors import PROBLEM_JSON, documented_response, example
from app.api.examples import add_examples
from app.api.kinds import BodyTooLarge, InternalError, MalformedJson, status_of
from app.api.links import add_links
from app.domain.api_keys import InsufficientScope
from app.domain.errors import DatabaseUnavailable, Invalid, RenumError, Unauthenticated
from app.domain.rates import RateLimited
from app.domain.users import AuthUnavailable, InvalidToken
from app.schemas.problems import Problem

#: The name of the security scheme that access tokens have in the document.
ACCESS_TOKEN = "access_token"  # noqa: S105  a name

#: FastAPI's own shape of a 422, which nothing here answers with.
_REPLACED = ("HTTPValidationError", "ValidationError")
#: What FastAPI says of an answer of which nothing was said.
_NO_DESCRIPTION = "Successful Response"


class DocumentedApi(FastAPI):
    """A FastAPI whose document tells of every problem, in the shape that it really has."""

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        schemas: dict[str, Any] = document.setdefault("components", {}).setdefault("schemas", {})
        if Problem.__name__ not in schemas:
            _, ours = models_json_schema(
                [(Problem, "validation")], ref_template="#/components/schemas/{model}"
            )
            schemas.update(ours["$defs"])
            for name in _REPLACED:
                schemas.pop(name, None)
            for operation in _operations(document):
                _complete(operation)
            add_links(document)
            document["components"]["examples"] = _shared_examples(document)
        return document


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document.get("paths", {}).values():
        yield from path.values()


def _complete(operation: dict[str, Any]) -> None:
    summary = operation["operationId"].replace("_", " ").capitalize()
    operation["summary"] = summary.replace("api key", "API key")
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _sendable(parameter["schema"])
    responses = operation["responses"]
    for status, response in responses.items():
        if response["description"] == _NO_DESCRIPTION:
            response["description"] = HTTPStatus(int(status)).phrase
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    for error in _errors_of_its_form(operation):
        status = status_of(error)
        entry = responses.setdefault(str(status), documented_response(status))
        entry["content"][PROBLEM_JSON]["examples"].setdefault(error.code, example(error))
    add_examples(operation)


def _shared_examples(document: dict[str, Any]) -> dict[str, Any]:
    """
    Take the examples of problems out of the operations; each is left a reference.

    Most are the same forty times: they would be a third of the document.
    """
    shared: dict[str, Any] = {}
    for operation in _operations(document):
        for response in operation["responses"].values():
            examples = response.get("content", {}).get(PROBLEM_JSON, {}).get("examples", {})
            for code in examples:
                shared[code] = examples[code]
                examples[code] = {"$ref": f"#/components/examples/{code}"}
    return shared


def _sendable(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter's schema without the null that stands for leaving it out: none can be sent."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) != 1:
        return schema
    return {**choices[0], **{k: v for k, v in schema.items() if k != "anyOf"}}


def _errors_of_its_form(operation: dict[str, Any]) -> Iterator[type[RenumError]]:
    if any(ACCESS_TOKEN in scheme for scheme in operation.get("security", ())):
        yield from (Unauthenticated, InvalidToken, InsufficientScope, RateLimited)
        # API keys, and whatever the token's bearer asks about, are in the database.
        yield from (AuthUnavailable, DatabaseUnavailable)
    if "requestBody" in operation:
        yield from (BodyTooLarge, MalformedJson)
    if "requestBody" in operation or "parameters" in operation:
        yield Invalid
    yield InternalError
