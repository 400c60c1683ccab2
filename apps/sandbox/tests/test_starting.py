"""Every way to start a run, and what is refused."""

import uuid

import pytest

from renum_sandbox import constants

PROMPT = "Summarise: Coffee sells. Coffee sells well in winter. Tea waits for spring."
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def test_initiate_answers_two_ids(era_a) -> None:
    assert set(era_a.start(PROMPT)) == {"thread_id", "agent_run_id"}


def test_initiate_takes_a_multipart_form_with_files(era_a) -> None:
    answer = era_a.post(
        "/agent/initiate",
        data={"prompt": PROMPT, "model_name": "any", "stream": "true"},
        files=[("files", ("notes.txt", b"notes"))],
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("base", ["/a2/api", "/v1"])
def test_start_answers_the_project_as_well(base, era_a2, era_b) -> None:
    answer = (era_b if base == "/v1" else era_a2).start(PROMPT)
    assert answer["status"] == "running"
    assert set(answer) == {"thread_id", "agent_run_id", "project_id", "sandbox_id", "status"}


def test_every_start_is_recorded(suna, sandbox) -> None:
    headers = {"X-Request-ID": "req-1"}
    data = {"prompt": PROMPT, "agent_id": constants.DRAFT_AGENT_ID}
    answer = suna.post(suna.start_path, data=data, headers=headers).json()
    start = next(s for s in sandbox.starts() if s["run_id"] == answer["agent_run_id"])
    assert start.pop("started_at")
    assert start == {
        "agent_id": constants.DRAFT_AGENT_ID,
        "prompt": PROMPT,
        "thread_id": answer["thread_id"],
        "run_id": answer["agent_run_id"],
        "request_id": "req-1",
        "dialect": {"/api": "initiate", "/a2/api": "start-a2", "/v1": "start"}[suna.base],
        "status": "completed",
    }


def test_without_an_agent_the_default_one_answers(suna, sandbox) -> None:
    start = suna.start(PROMPT, "")
    assert sandbox.starts()[-1]["agent_id"] == constants.OUTLINE_AGENT_ID
    assert suna.run(start)["status"] == "completed"


@pytest.mark.parametrize("agent_id", [UNKNOWN, constants.PRIVATE_AGENT_ID])
def test_an_agent_that_one_cannot_start_is_404(suna, sandbox, agent_id) -> None:
    before = len(sandbox.starts())
    answer = suna.post(suna.start_path, data={"prompt": PROMPT, "agent_id": agent_id})
    assert answer.status_code == 404
    assert answer.json() == {"detail": f"{suna.agent_word} not found or access denied"}
    assert len(sandbox.starts()) == before


def test_a_missing_prompt_is_refused(era_a, era_a2, era_b) -> None:
    assert era_a2.post("/agent/start", data={"stream": "true"}).status_code == 400
    assert era_a.post("/agent/initiate", data={"agent_id": UNKNOWN}).status_code == 422
    assert era_b.post("/agent/start", data={"stream": "true"}).status_code == 400


def test_a_project_is_soon_named_by_a_model(suna) -> None:
    suna.start("Short")
    suna.start("A prompt that is longer than thirty characters")
    listed = suna.get("/threads", limit=2).json()
    names = [thread["project"]["name"] for thread in listed["threads"]]
    assert names == ["A Prompt That Project", "Short Project"]
    assert listed["pagination"]["page"] == 1
    assert listed["pagination"]["total"] >= 2


class TestTwoSteps:
    def test_thread_message_run(self, era_a) -> None:
        thread = era_a.post("/threads", data={"name": "Mine"}).json()
        message = {"type": "user", "content": PROMPT, "is_llm_message": True}
        path = f"/threads/{thread['thread_id']}/messages"
        assert era_a.post(path, json=message).json()["content"]["content"] == PROMPT
        answer = era_a.post(
            f"/thread/{thread['thread_id']}/agent/start",
            json={"agent_id": constants.SUMMARISE_AGENT_ID, "stream": True},
        ).json()
        assert answer["status"] == "running"
        kinds = [m["type"] for m in era_a.messages(thread)]
        assert kinds == ["user", "assistant"]

    def test_a_message_may_be_an_object(self, era_a) -> None:
        thread = era_a.post("/threads").json()
        message = {"type": "user", "content": {"role": "user", "content": "Hi"}}
        path = f"/threads/{thread['thread_id']}/messages"
        assert era_a.post(path, json=message).json()["content"]["content"] == "Hi"
        assert era_a.post(path, json={"type": "tool", "content": ""}).status_code == 400

    def test_a_thread_without_a_users_last_word_ends_at_once(self, era_a) -> None:
        start = era_a.start(PROMPT)
        again = era_a.post(f"/thread/{start['thread_id']}/agent/start", json={}).json()
        assert era_a.run(again)["status"] == "completed"
        assert len(era_a.messages(start)) == 2
        runs = era_a.get(f"/thread/{start['thread_id']}/agent-runs").json()["agent_runs"]
        assert [run["id"] for run in runs] == [again["agent_run_id"], start["agent_run_id"]]

    def test_unknown_threads(self, era_a) -> None:
        assert era_a.post(f"/thread/{UNKNOWN}/agent/start", json={}).status_code == 404
        assert era_a.get(f"/threads/{UNKNOWN}/messages").json() == {"detail": "Thread not found"}


class TestOptimistic:
    def test_the_client_makes_the_ids(self, era_b) -> None:
        ids = {"thread_id": str(uuid.uuid4()), "project_id": str(uuid.uuid4())}
        answer = era_b.start(PROMPT, optimistic="true", **ids)
        assert {key: answer[key] for key in ids} == ids
        runs = era_b.get(f"/thread/{ids['thread_id']}/agent-runs").json()["agent_runs"]
        assert [run["id"] for run in runs] == [answer["agent_run_id"]]

    def test_an_id_that_nobody_made_needs_it(self, era_b) -> None:
        data = {"prompt": PROMPT, "thread_id": str(uuid.uuid4())}
        assert era_b.post("/agent/start", data=data).status_code == 404

    def test_a_known_thread_goes_on(self, era_b) -> None:
        first = era_b.start(PROMPT)
        second = era_b.start("And now?", thread_id=first["thread_id"])
        assert second["thread_id"] == first["thread_id"]
        kinds = [m["type"] for m in era_b.messages(first)]
        assert kinds == ["user", "assistant", "user", "assistant"]

    def test_a_known_thread_needs_no_prompt(self, era_b) -> None:
        first = era_b.start(PROMPT)
        again = era_b.post("/agent/start", data={"thread_id": first["thread_id"]}).json()
        assert era_b.run(again)["status"] == "completed"

    def test_malformed_ids_are_500(self, era_b) -> None:
        data = {"prompt": PROMPT, "thread_id": "mine", "optimistic": "true"}
        assert era_b.post("/agent/start", data=data).status_code == 500


class TestUnified:
    """Era A2: one start for all, but every id is the server's."""

    def test_a_known_thread_goes_on(self, era_a2) -> None:
        first = era_a2.start(PROMPT)
        ids = {"thread_id": first["thread_id"], "project_id": first["project_id"]}
        second = era_a2.start("And now?", **ids)
        assert {key: second[key] for key in ids} == ids
        kinds = [m["type"] for m in era_a2.messages(first)]
        assert kinds == ["user", "assistant", "user", "assistant"]

    def test_a_known_project_gets_another_thread(self, era_a2) -> None:
        first = era_a2.start(PROMPT)
        second = era_a2.start(PROMPT, project_id=first["project_id"])
        assert second["project_id"] == first["project_id"]
        assert second["thread_id"] != first["thread_id"]

    @pytest.mark.parametrize(
        ("field", "says"),
        [("thread_id", "Thread not found"), ("project_id", "Project not found")],
    )
    def test_an_id_that_nobody_made_is_404(self, era_a2, sandbox, field, says) -> None:
        before = len(sandbox.starts())
        data = {"prompt": PROMPT, field: str(uuid.uuid4()), "optimistic": "true"}
        answer = era_a2.post("/agent/start", data=data)
        assert (answer.status_code, answer.json()) == (404, {"detail": says})
        assert len(sandbox.starts()) == before

    def test_the_older_starts_are_gone(self, era_a2) -> None:
        assert era_a2.post("/agent/initiate", data={"prompt": PROMPT}).status_code == 404
        thread = era_a2.start(PROMPT)["thread_id"]
        assert era_a2.post(f"/thread/{thread}/agent/start", json={}).status_code == 404


def test_what_belongs_to_another_account_is_403(suna, http) -> None:
    start = suna.start(PROMPT)
    login = http.post(
        "/auth/v1/token",
        params={"grant_type": "password"},
        headers={"apikey": constants.PUBLISHABLE_KEY},
        json={"email": constants.ANA_EMAIL, "password": constants.DEMO_PASSWORD},
    ).json()
    ana = {"Authorization": f"Bearer {login['access_token']}"}
    for path in (
        f"/agent-run/{start['agent_run_id']}",
        f"/agent-run/{start['agent_run_id']}/stream",
        f"/thread/{start['thread_id']}/agent-runs",
        f"/threads/{start['thread_id']}/messages",
    ):
        answer = http.get(suna.base + path, headers=ana)
        assert answer.status_code == 403
        assert answer.json() == {"detail": "Not authorized to access this thread"}
    assert http.get(suna.base + "/threads", headers=ana).json()["threads"] == []
    by_token = http.get(
        f"{suna.base}/agent-run/{UNKNOWN}/stream", params={"token": login["access_token"]}
    )
    assert by_token.status_code == 404
