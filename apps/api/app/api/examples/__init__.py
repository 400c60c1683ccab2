"""
Examples of the OpenAPI document, by the operation's name.

They are one story: Ana makes the Marketing Team and runs it. With the sandbox behind it, a server
answers each request with the fields of its answer here (tests/endpoints/test_examples.py).
"""

from typing import Any

from app.api.examples.answers import ANSWERS, FAILURES, TEXTS
from app.api.examples.requests import REQUESTS


def add_examples(operation: dict[str, Any]) -> None:
    """Write the examples of all that an operation takes and answers into an OpenAPI document."""
    name = operation["operationId"]
    if "requestBody" in operation:
        operation["requestBody"]["content"]["application/json"]["example"] = REQUESTS[name]
    for status, response in operation["responses"].items():
        for media_type, content in response.get("content", {}).items():
            if "examples" in content:
                continue  # a problem: made with its class
            if media_type != "application/json":
                content["example"] = TEXTS[name]
            elif status.startswith("2"):
                content["example"] = ANSWERS[name]
            else:
                content["example"] = FAILURES[name]
