"""What the document of the API shows as a request, the API takes."""

from typing import Any

import httpx2
import pytest

from app.api.examples import REQUESTS
from app.core.settings import Settings
from app.main import create_app
from tests.endpoints.people import Person, checked

DOCUMENT = create_app(Settings.model_construct(), worker=False).openapi()
WITH_BODY = [
    pytest.param(path, method, operation, id=operation["operationId"])
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if "requestBody" in operation
]


def test_every_body_has_an_example_and_no_example_is_left_over() -> None:
    assert {param.id for param in WITH_BODY} == set(REQUESTS)


@pytest.mark.parametrize(("path", "method", "operation"), WITH_BODY)
def test_an_example_of_a_request_succeeds(
    ana: Person, nobody: httpx2.Client, path: str, method: str, operation: dict[str, Any]
) -> None:
    body = operation["requestBody"]["content"]["application/json"]["example"]
    if operation["operationId"] == "refresh":
        session = checked(ana.http.post("auth/login", json=REQUESTS["login"]), 200)
        body = {"refresh_token": session["refresh_token"]}
    needs_token = {"access_token": []} in operation.get("security", ())
    http = ana.http if needs_token else nobody
    ids = {}
    if "{team_id}" in path:
        ids["team_id"] = checked(ana.http.post("teams", json=REQUESTS["create_team"]), 201)["id"]
    if "{webhook_id}" in path:
        made = ana.http.post("webhooks", json=REQUESTS["create_webhook"])
        ids["webhook_id"] = checked(made, 201)["id"]
    answer = http.request(method, path.format(**ids).removeprefix("/api/v1/"), json=body)
    documented = next(status for status in operation["responses"] if status.startswith("2"))
    assert answer.status_code == int(documented), answer.text
    if "execution_id" in answer.text:
        ana.cancel(answer.json()["execution_id"])
