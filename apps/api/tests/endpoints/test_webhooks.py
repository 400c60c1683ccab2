"""Webhooks over HTTP: an owner's endpoint is told, by the whole of Renum, what has ended."""

import json
from collections.abc import Callable, Iterator
from uuid import uuid4

import httpx2
import pytest
from standardwebhooks import WebhookVerificationError

from renum_sandbox import constants
from renum_sandbox.testing import RunningSandbox
from tests.endpoints.people import (
    OUTLINE,
    Json,
    Person,
    checked,
    client_of,
    problem_of,
    signed_in,
    until,
)
from tests.endpoints.test_api_keys import machine, make
from tests.receiver import Receiver, Reply, receiving
from tests.serving import serving, settings_for

EVENTS = ["execution.completed", "execution.failed", "execution.cancelled"]


@pytest.fixture(scope="module")
def url(sandbox: RunningSandbox, new_database: Callable[[], str]) -> Iterator[str]:
    """Sends to loopback too."""
    settings = settings_for(sandbox, new_database(), webhooks_allow_private=True)
    with serving(settings) as served:
        yield served


@pytest.fixture(scope="module")
def _ana(url: str) -> Iterator[Person]:
    with signed_in(url, constants.ANA_EMAIL) as client:
        yield Person(client)


@pytest.fixture(scope="module")
def _bruno(url: str) -> Iterator[Person]:
    with signed_in(url, constants.BRUNO_EMAIL) as client:
        yield Person(client)


@pytest.fixture(scope="module")
def nobody(url: str) -> Iterator[httpx2.Client]:
    with client_of(url) as client:
        yield client


@pytest.fixture
def ana(_ana: Person) -> Iterator[Person]:
    yield _ana
    _ana.tidy()
    for webhook in checked(_ana.http.get("webhooks?limit=100"), 200)["webhooks"]:
        checked(_ana.http.delete(f"webhooks/{webhook['id']}"), 204)


@pytest.fixture
def bruno(_bruno: Person) -> Person:
    return _bruno


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def webhook_of(person: Person, url: str, **changes: object) -> Json:
    return checked(person.http.post("webhooks", json={"url": url, **changes}), 201)


def delivery_of(person: Person, webhook: Json, delivery_id: str) -> Json:
    path = f"webhooks/{webhook['id']}/deliveries/{delivery_id}"
    return checked(person.http.get(path), 200)


def ended(person: Person, webhook: Json, delivery_id: str) -> Json:
    return until(
        lambda: delivery_of(person, webhook, delivery_id), lambda d: d["status"] != "pending"
    )


def trial(person: Person, webhook: Json) -> Json:
    return checked(person.http.post(f"webhooks/{webhook['id']}/test"), 202)


def test_its_secret_is_shown_once(ana: Person, receiver: Receiver) -> None:
    answer = ana.http.post("webhooks", json={"url": receiver.url, "description": " Ours "})
    made = checked(answer, 201)
    assert answer.headers["cache-control"] == "no-store"
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert made["description"] == "Ours"
    assert made["events"] == sorted(EVENTS)
    assert (made["enabled"], made["disabled_reason"], made["failing_since"]) == (True, None, None)
    path = f"webhooks/{made['id']}"
    assert answer.headers["location"] == f"/api/v1/{path}"
    assert checked(ana.http.get(path), 200) == made
    assert checked(ana.http.get("webhooks"), 200)["webhooks"] == [made]
    changed = checked(ana.http.put(path, json={"description": "Theirs"}), 200)
    assert (changed["description"], changed["url"]) == ("Theirs", made["url"])
    assert secret not in ana.http.get("webhooks").text + ana.http.get(path).text


def test_the_end_of_an_execution_is_told_and_signed(ana: Person, receiver: Receiver) -> None:
    webhook = webhook_of(ana, f"{receiver.url}/hook")
    team = ana.team({"agent_id": OUTLINE})
    execution_id = ana.execute(team)["execution_id"]
    done = ana.wait(execution_id)
    (got,) = until(lambda: receiver.got)
    body = got.verified(webhook["secret"])
    assert body == json.loads(got.body)
    assert (got.path, body["type"]) == ("/hook", "execution.completed")
    data = body["data"]
    assert data["execution_id"] == execution_id
    assert data["team_id"] == team["id"]
    assert (data["team_name"], data["team_version"]) == (team["name"], 1)
    assert (data["status"], data["progress"]) == ("completed", done["progress"])
    for field in ("started_at", "completed_at", "error_code", "error_message"):
        assert data[field] == done[field]
    told = checked(ana.http.get("notifications"), 200)["notifications"][0]
    assert got.headers["webhook-id"] == told["id"]
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"].startswith("Renum-Webhooks/")
    delivered = ended(ana, webhook, told["id"])
    assert (delivered["status"], delivered["body"]) == ("delivered", got.body)
    assert [a["status_code"] for a in delivered["attempts"]] == [204]
    with pytest.raises(WebhookVerificationError):
        got.verified("whsec_" + "A" * 43 + "=")


def test_only_what_is_asked_for_is_told(ana: Person, receiver: Receiver) -> None:
    webhook = webhook_of(ana, receiver.url, events=["execution.cancelled"])
    team = ana.team({"agent_id": OUTLINE})
    ana.wait(ana.execute(team)["execution_id"])
    running = ana.running(team)
    checked(ana.cancel(running["execution_id"]), 200)
    (got,) = until(lambda: receiver.got)
    assert got.verified(webhook["secret"])["type"] == "execution.cancelled"
    listed = checked(ana.http.get(f"webhooks/{webhook['id']}/deliveries"), 200)
    assert [d["type"] for d in listed["deliveries"]] == ["execution.cancelled"]


def test_a_trial_and_its_log(ana: Person, receiver: Receiver) -> None:
    receiver.replies = [Reply(500, body=b"no disk"), Reply(503)]
    webhook = webhook_of(ana, receiver.url)
    delivery = trial(ana, webhook)
    assert (delivery["type"], delivery["status"]) == ("webhook.test", "pending")
    failed = until(
        lambda: delivery_of(ana, webhook, delivery["id"]), lambda d: len(d["attempts"]) == 1
    )
    assert failed["status"] == "pending"
    assert failed["next_attempt_at"] > failed["attempts"][0]["at"]
    attempt = failed["attempts"][0]
    assert (attempt["status_code"], attempt["error"]) == (500, "answered 500")
    assert attempt["response"] == "no disk"
    state = checked(ana.http.get(f"webhooks/{webhook['id']}"), 200)
    assert state["failing_since"] == attempt["at"]
    path = f"webhooks/{webhook['id']}/deliveries"
    for status, count in (("pending", 1), ("delivered", 0), ("failed", 0)):
        found = checked(ana.http.get(path, params={"status": status}), 200)
        assert found["pagination"]["total"] == count
    # Now, not in five seconds.
    again = checked(ana.http.post(f"{path}/{delivery['id']}/redeliver"), 202)
    assert again["next_attempt_at"] < failed["next_attempt_at"]
    until(lambda: delivery_of(ana, webhook, delivery["id"]), lambda d: len(d["attempts"]) == 2)
    checked(ana.http.post(f"{path}/{delivery['id']}/redeliver"), 202)
    done = ended(ana, webhook, delivery["id"])
    assert [a["status_code"] for a in done["attempts"]] == [500, 503, 204]
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    assert len({got.body for got in receiver.got}) == 1
    listed = checked(ana.http.get(path), 200)["deliveries"]
    assert "body" not in listed[0]
    assert checked(ana.http.get(f"webhooks/{webhook['id']}"), 200)["failing_since"] is None


def test_a_new_secret_signs_beside_the_one_before(ana: Person, receiver: Receiver) -> None:
    old = webhook_of(ana, receiver.url)
    new = checked(ana.http.post(f"webhooks/{old['id']}/rotate-secret"), 200)
    assert new["secret"] != old["secret"]
    ended(ana, old, trial(ana, old)["id"])
    (got,) = receiver.got
    assert len(got.headers["webhook-signature"].split()) == 2
    got.verified(old["secret"])
    got.verified(new["secret"])


def test_who_answers_gone_is_told_nothing_any_more(ana: Person, receiver: Receiver) -> None:
    receiver.replies = [Reply(410)]
    webhook = webhook_of(ana, receiver.url)
    assert ended(ana, webhook, trial(ana, webhook)["id"])["status"] == "failed"
    state = checked(ana.http.get(f"webhooks/{webhook['id']}"), 200)
    assert (state["enabled"], state["disabled_reason"]) == (False, "gone")
    told = checked(ana.http.get("notifications"), 200)["notifications"][0]
    assert (told["type"], told["data"]) == ("webhook_disabled", {"webhook_id": webhook["id"]})
    path = f"webhooks/{webhook['id']}"
    problem_of(ana.http.post(f"{path}/test"), 409, "webhook_disabled")
    (delivery,) = checked(ana.http.get(f"{path}/deliveries"), 200)["deliveries"]
    redeliver = f"{path}/deliveries/{delivery['id']}/redeliver"
    problem_of(ana.http.post(redeliver), 409, "webhook_disabled")
    on = checked(ana.http.put(path, json={"enabled": True}), 200)
    assert (on["enabled"], on["disabled_reason"]) == (True, None)
    checked(ana.http.post(redeliver), 202)
    assert ended(ana, webhook, delivery["id"])["status"] == "delivered"
    off = checked(ana.http.put(path, json={"enabled": False}), 200)
    assert (off["enabled"], off["disabled_reason"]) == (False, "owner")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, ["url"]),
        ({"url": ""}, ["url"]),
        ({"url": "ftp://example.com"}, ["url"]),
        ({"url": "https://ana:pw@example.com"}, ["url"]),
        ({"url": "https://example.com/" + "x" * 2048}, ["url"]),
        ({"url": "https://example.com", "events": []}, ["events"]),
        ({"url": "https://example.com", "events": ["execution.paused"]}, ["events", 0]),
        ({"url": "https://example.com", "description": "x" * 501}, ["description"]),
        ({"url": "https://example.com", "secret": "whsec_mine"}, ["secret"]),
    ],
)
def test_what_is_wrong_is_named(ana: Person, body: Json, place: list[object]) -> None:
    problem = problem_of(ana.http.post("webhooks", json=body), 422, "validation_error")
    assert problem["errors"][0]["loc"] == ["body", *place]


@pytest.mark.parametrize("body", [{"enabled": 1}, {"enabled": "true"}, {"url": "http://"}])
def test_a_change_is_held_to_the_same(ana: Person, receiver: Receiver, body: Json) -> None:
    webhook = webhook_of(ana, receiver.url)
    path = f"webhooks/{webhook['id']}"
    problem_of(ana.http.put(path, json=body), 422, "validation_error")
    del webhook["secret"]
    assert checked(ana.http.get(path), 200) == webhook


ROUTES = [
    ("GET", "webhooks/{id}"),
    ("PUT", "webhooks/{id}"),
    ("DELETE", "webhooks/{id}"),
    ("POST", "webhooks/{id}/rotate-secret"),
    ("POST", "webhooks/{id}/test"),
    ("GET", "webhooks/{id}/deliveries"),
    ("GET", "webhooks/{id}/deliveries/{delivery}"),
    ("POST", "webhooks/{id}/deliveries/{delivery}/redeliver"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_what_is_anothers_does_not_exist(
    ana: Person, bruno: Person, nobody: httpx2.Client, receiver: Receiver, method: str, path: str
) -> None:
    webhook = webhook_of(ana, receiver.url)
    delivery = trial(ana, webhook)
    body = {} if method == "PUT" else None
    theirs = path.format(id=webhook["id"], delivery=delivery["id"])
    problem_of(bruno.http.request(method, theirs, json=body), 404, "webhook_not_found")
    unknown = path.format(id=uuid4(), delivery=delivery["id"])
    problem_of(bruno.http.request(method, unknown, json=body), 404, "webhook_not_found")
    problem_of(nobody.request(method, theirs, json=body), 401, "unauthenticated")
    assert checked(bruno.http.get("webhooks"), 200)["webhooks"] == []
    ended(ana, webhook, delivery["id"])
    if "{delivery}" in path:
        other = webhook_of(ana, receiver.url)
        elsewhere = path.format(id=other["id"], delivery=delivery["id"])
        problem_of(ana.http.request(method, elsewhere), 404, "delivery_not_found")


def test_a_user_has_so_many(ana: Person, receiver: Receiver) -> None:
    for _ in range(10):
        webhook_of(ana, receiver.url)
    answer = ana.http.post("webhooks", json={"url": receiver.url})
    problem_of(answer, 429, "too_many_webhooks")


def test_what_an_api_key_may_do_with_them(ana: Person, receiver: Receiver, url: str) -> None:
    webhook = webhook_of(ana, receiver.url)
    path = f"webhooks/{webhook['id']}"
    with machine(url, make(ana, "read")["key"]) as reader:
        checked(reader.get(path), 200)
        problem_of(reader.post(f"{path}/test"), 403, "insufficient_scope")
    with machine(url, make(ana, "manage")["key"]) as manager:
        ended(ana, webhook, checked(manager.post(f"{path}/test"), 202)["id"])


def test_by_default_nothing_inside_is_reached(
    sandbox: RunningSandbox, new_database: Callable[[], str], receiver: Receiver
) -> None:
    settings = settings_for(sandbox, new_database())
    with serving(settings) as url, signed_in(url, constants.ANA_EMAIL) as client:
        ana = Person(client)
        for refused in (receiver.url, "https://127.0.0.1/", "https://localhost/"):
            answer = ana.http.post("webhooks", json={"url": refused})
            problem = problem_of(answer, 422, "validation_error")
            assert problem["errors"][0]["loc"] == ["body", "url"]
        webhook = webhook_of(ana, "https://nowhere.invalid/")
        delivery = trial(ana, webhook)
        tried = until(
            lambda: delivery_of(ana, webhook, delivery["id"]), lambda d: len(d["attempts"]) == 1
        )
        assert tried["attempts"][0]["error"] == "the host's name does not resolve"
        assert tried["attempts"][0]["status_code"] is None
    assert receiver.got == []
