"""What the document of the API shows, a server takes and answers."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from app.api.examples.answers import ANSWERS, TEXTS
from app.api.examples.requests import REQUESTS
from app.core.settings import Settings
from app.main import create_app
from renum_sandbox import constants
from renum_sandbox.testing import RunningSandbox
from tests.endpoints.people import Json, Person, checked, client_of, signed_in
from tests.endpoints.test_webhooks import ended, trial, webhook_of
from tests.receiver import Receiver, receiving
from tests.serving import serving, settings_for

DOCUMENT = create_app(Settings.model_construct(), worker=False).openapi()
OPERATIONS = [
    pytest.param(path, method, operation, id=operation["operationId"])
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
#: Operations that an execution has to be in some other state for than completed.
RUNNING = ("cancel_execution", "explain_execution")
CANCELLED = ("retry_execution",)


@pytest.fixture(scope="module")
def url(sandbox: RunningSandbox, new_database: Callable[[], str]) -> Iterator[str]:
    """Sends to loopback too."""
    settings = settings_for(sandbox, new_database(), webhooks_allow_private=True)
    with serving(settings) as served:
        yield served


@pytest.fixture(scope="module")
def nobody(url: str) -> Iterator[httpx2.Client]:
    with client_of(url) as client:
        yield client


@pytest.fixture
def ana(url: str) -> Iterator[Person]:
    with signed_in(url, constants.ANA_EMAIL) as client:
        person = Person(client)
        yield person
        going_on = checked(client.get("executions?status=running"), 200)["executions"]
        for execution in going_on:
            person.cancel(execution["execution_id"])
        # There may be only so many.
        for kind in ("webhooks", "api-keys"):
            for thing in checked(client.get(kind), 200)[kind.replace("-", "_")]:
                checked(client.delete(f"{kind}/{thing['id']}"), 204)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def lived(ana: Person, receiver: Receiver, operation: str) -> dict[str, str]:
    """The story up to the operation; what a path may name, by its parameter."""
    post = ana.http.post
    team = checked(post("teams", json=REQUESTS["create_team"]), 201)
    path = f"teams/{team['id']}/execute"
    execution = checked(post(path, json=REQUESTS["execute_team"]), 202)["execution_id"]
    assert ana.wait(execution)["status"] == "completed"
    if operation in RUNNING + CANCELLED:
        context = REQUESTS["execute_team"]["input_data"]["context"]
        execution = ana.execute(team, "Work [[sleep=30]]", context=context)["execution_id"]
        ana.wait(execution, lambda e: e["results"][0]["status"] == "running")
    if operation in CANCELLED:
        checked(ana.cancel(execution), 200)
    webhook = webhook_of(ana, receiver.url, events=REQUESTS["create_webhook"]["events"])
    delivery = ended(ana, webhook, trial(ana, webhook)["id"])
    assert delivery["status"] == "delivered"
    return {
        "agent_id": constants.OUTLINE_AGENT_ID,
        "team_id": team["id"],
        "execution_id": execution,
        "key": "draft",
        "field": "output",
        "notification_id": checked(ana.http.get("notifications"), 200)["notifications"][0]["id"],
        "webhook_id": webhook["id"],
        "delivery_id": delivery["id"],
        "key_id": checked(post("api-keys", json=REQUESTS["create_api_key"]), 201)["id"],
    }


def differences(example: Any, answer: Any, place: str = "") -> list[str]:
    """
    Where one has fields or items that the other does not have.

    Of lists, what is of the same `type` is compared, or else what stands at the same place;
    values are not compared, and null is like anything.
    """
    if isinstance(example, dict) and isinstance(answer, dict):
        return [f"{place}.{key}" for key in sorted(example.keys() ^ answer.keys())] + [
            difference
            for key in sorted(example.keys() & answer.keys())
            for difference in differences(example[key], answer[key], f"{place}.{key}")
        ]
    if isinstance(example, list) and isinstance(answer, list):
        if bool(example) != bool(answer):
            return [place]
        found = []
        for n, item in enumerate(example):
            kind = item.get("type") if isinstance(item, dict) else None
            same = [a for a in answer if kind is not None and a.get("type") == kind]
            if same or n < len(answer):
                found += differences(item, same[0] if same else answer[n], f"{place}[{n}]")
        return found
    return [] if None in (example, answer) or type(example) is type(answer) else [place]


def test_a_difference_is_noticed() -> None:
    """The check that all of the following rests on."""
    good = ANSWERS["get_execution"]
    assert differences(good, {**good, "error_code": "timeout"}) == []
    assert differences(good, {**good, "more": 1}) == [".more"]
    assert differences({**good, "more": 1}, good) == [".more"]
    assert differences(good, {**good, "seq": "14"}) == [".seq"]
    assert differences(good, {**good, "logs": []}) == [".logs"]
    other = [{**good["results"][0], "more": 1}, good["results"][1]]
    assert differences(good, {**good, "results": other}) == [".results[0].more"]


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_an_operation_answers_as_its_example_does(
    ana: Person,
    nobody: httpx2.Client,
    url: str,
    receiver: Receiver,
    path: str,
    method: str,
    operation: Json,
) -> None:
    name = operation["operationId"]
    ids = lived(ana, receiver, name)
    body = REQUESTS.get(name)
    if name == "refresh":
        session = checked(ana.http.post("auth/login", json=REQUESTS["login"]), 200)
        body = {"refresh_token": session["refresh_token"]}
    needs_token = {"access_token": []} in operation.get("security", ())
    answer = (ana.http if needs_token else nobody).request(
        method, url + path.format(**ids), json=body, headers={"Accept": "application/json"}
    )
    documented = next(status for status in operation["responses"] if status.startswith("2"))
    assert answer.status_code == int(documented), answer.text
    if name in ANSWERS:
        assert differences(ANSWERS[name], answer.json()) == []
    elif name in TEXTS:
        assert answer.text.startswith("# Product X")
    else:
        assert not answer.content
