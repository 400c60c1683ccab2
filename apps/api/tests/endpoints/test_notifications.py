"""`/notifications`: what ended while nobody watched."""

from typing import Any
from uuid import UUID

import pytest

from tests.endpoints.people import Json, Person, checked


def listed(person: Person, **query: Any) -> Json:
    return checked(person.http.get("notifications", params={"limit": 100, **query}), 200)


def about(person: Person, execution_id: str, **query: Any) -> list[Json]:
    found = listed(person, **query)["notifications"]
    return [n for n in found if n["data"]["execution_id"] == execution_id]


def ended(person: Person, prompt: str = "x") -> Json:
    started = person.execute(person.team(name="Marketing Team"), prompt, retry_failed=False)
    return person.wait(started["execution_id"])


def test_a_completed_execution_is_told_as_specified(ana: Person) -> None:
    done = ended(ana)
    [told] = about(ana, done["execution_id"])
    assert UUID(told.pop("id"))
    assert told == {
        "type": "execution_completed",
        "title": "Team execution completed",
        "message": "Your Marketing Team execution has completed successfully",
        "read": False,
        "created_at": done["completed_at"],
        "data": {"execution_id": done["execution_id"], "team_id": done["team_id"]},
    }


def test_failed_and_cancelled_executions_are_told_too(ana: Person) -> None:
    failed = ended(ana, "[[fail]]")
    [told] = about(ana, failed["execution_id"])
    assert told["type"] == "execution_failed"
    assert failed["error_message"] in told["message"]
    running = ana.execute(ana.team(), "[[sleep=30]]")
    assert about(ana, running["execution_id"]) == []
    ana.cancel(running["execution_id"])
    ana.cancel(running["execution_id"])
    [told] = about(ana, running["execution_id"])
    assert told["type"] == "execution_cancelled"


def test_notifications_are_paged_newest_first(bruno: Person) -> None:
    newest_first = [ended(bruno)["execution_id"] for _ in range(3)][::-1]
    pages = [listed(bruno, limit=2, page=n)["notifications"] for n in (1, 2)]
    seen = [n["data"]["execution_id"] for n in [*pages[0], *pages[1]]]
    assert seen[:3] == newest_first
    assert listed(bruno, limit=2)["pagination"]["total"] >= 3


def test_reading_is_idempotent_and_leaves_the_unread(bruno: Person) -> None:
    execution_id = ended(bruno)["execution_id"]
    [told] = about(bruno, execution_id, unread=True)
    before = listed(bruno)["unread_count"]
    for _ in range(2):
        read = checked(bruno.http.put(f"notifications/{told['id']}/read"), 200)
        assert read == {**told, "read": True}
        assert listed(bruno)["unread_count"] == before - 1
    assert about(bruno, execution_id, unread=True) == []
    assert about(bruno, execution_id) == [read]


def test_all_are_read_at_once_and_nobody_elses(ana: Person, bruno: Person) -> None:
    mine = ended(ana)["execution_id"]
    theirs = ended(bruno)["execution_id"]
    unread = listed(ana)["unread_count"]
    assert unread >= 1
    assert checked(ana.http.put("notifications/read-all"), 200) == {"marked": unread}
    assert checked(ana.http.put("notifications/read-all"), 200) == {"marked": 0}
    after = listed(ana, unread=True)
    assert after["notifications"] == []
    assert (after["unread_count"], after["pagination"]["total"]) == (0, 0)
    assert about(ana, mine)[0]["read"] is True
    assert about(bruno, theirs)[0]["read"] is False


@pytest.mark.parametrize("value", ["maybe", ""])
def test_unread_is_yes_or_no(ana: Person, value: str) -> None:
    answer = ana.http.get("notifications", params={"unread": value})
    assert checked(answer, 422)["errors"][0]["loc"] == ["query", "unread"]
