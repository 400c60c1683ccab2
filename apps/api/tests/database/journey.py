"""Everything that Renum does with its database, as its users and its workers do it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

from websockets.sync.client import ClientConnection, connect

from app.core.settings import Settings
from renum_sandbox import constants
from tests.endpoints.people import DRAFT, OUTLINE, Json, Person, checked, signed_in, until
from tests.serving import serving

#: Over 256 KiB, which a row does not hold.
LONG_PROMPT = " ".join(["🚲🚲🚲🚲"] * 16_000)


def take_the_journey(settings: Settings) -> None:
    """Serve the application, queue included, and do everything once."""
    with serving(settings) as url:
        take_the_journey_at(url)


def take_the_journey_at(url: str) -> None:
    """The same, at a server that runs already."""
    with signed_in(url, constants.ANA_EMAIL) as client:
        ana = Person(client)
        until(lambda: client.get(f"{url}/health/services").json()["status"], "ok".__eq__)
        checked(client.put("notifications/read-all"), 200)
        with _watching(url, ana) as socket:
            _complete(ana)
            _cancel_and_retry(ana)
            _see_all_of_it_live(ana, socket)
        _keep_long_texts(ana)
        _look_around(ana)


def _complete(ana: Person) -> None:
    team = ana.team({"agent_id": OUTLINE}, {"agent_id": DRAFT})
    done = ana.wait(ana.execute(team)["execution_id"])
    assert done["status"] == "completed", done
    assert all(r["output"] for r in done["results"])


def _cancel_and_retry(ana: Person) -> None:
    running = ana.running(ana.team({"agent_id": OUTLINE}, {"agent_id": DRAFT}), seconds=1)
    path = f"executions/{running['execution_id']}"
    checked(ana.cancel(running["execution_id"]), 200)
    stopped = ("confirmed", "not_needed")
    ana.wait(
        running["execution_id"], lambda e: all(r["remote_stop"] in stopped for r in e["results"])
    )
    again = checked(ana.http.post(f"{path}/retry"), 202)
    assert ana.wait(again["execution_id"])["status"] == "completed"


def _see_all_of_it_live(ana: Person, socket: ClientConnection) -> None:
    """Up to the end of what was retried, the third to end: told at once, not looked up."""
    ids, ended, chunks = [], [], 0
    while len(ended) < 3:
        message = json.loads(socket.recv(10))
        chunks += message["type"] == "agent_output"
        if "id" in message:
            ids.append(message["id"])
        if message["type"] == "new_notification":
            ended.append(message["data"])
    assert all(after == before + 1 for before, after in pairwise(ids))
    assert chunks
    told = checked(ana.http.get("notifications", params={"unread": True}), 200)
    assert len(told["notifications"]) == 3
    assert checked(ana.http.put("notifications/read-all"), 200) == {"marked": 3}


def _keep_long_texts(ana: Person) -> None:
    team = ana.team({"agent_id": OUTLINE, "key": "one"})
    done = ana.wait(ana.execute(team, LONG_PROMPT)["execution_id"])
    assert done["results"][0]["input_truncated"]
    whole = ana.http.get(f"executions/{done['execution_id']}/results/one/input")
    assert LONG_PROMPT in whole.text


def _look_around(ana: Person) -> None:
    team = ana.team()
    checked(ana.http.put(f"teams/{team['id']}", json={"description": "new"}), 200)
    assert checked(ana.http.get("teams", params={"search": team["name"]}), 200)["teams"]
    executions: Json = checked(ana.http.get("executions"), 200)
    path = f"executions/{executions['executions'][0]['execution_id']}"
    for part in ("", "/explain", "/logs"):
        checked(ana.http.get(path + part), 200)
    checked(ana.http.delete(f"teams/{team['id']}"), 204)


@contextmanager
def _watching(url: str, person: Person) -> Iterator[ClientConnection]:
    headers = {"Authorization": person.http.headers["Authorization"]}
    address = f"{url.replace('http', 'ws')}/api/v1/ws"
    with connect(address, additional_headers=headers, max_queue=None) as socket:
        assert json.loads(socket.recv(10))["type"] == "connected"
        yield socket
