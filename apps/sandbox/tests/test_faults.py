"""Calls that go wrong on request."""

import time

import httpx2
import pytest

from renum_sandbox.faults import Fault, Faults, Operation, possible
from renum_sandbox.testing import running_sandbox

PROMPT = "Summarise: Coffee sells. Coffee sells well in winter. Tea waits for spring."


def call(suna, operation: str, start: dict) -> httpx2.Response:
    run = f"/agent-run/{start['agent_run_id']}"
    if operation == "start":
        path = "/agent/initiate" if suna.base == "/api" else "/agent/start"
        return suna.post(path, data={"prompt": PROMPT})
    if operation == "stop":
        return suna.post(f"{run}/stop")
    paths = {
        "status": run,
        "stream": f"{run}/stream",
        "messages": f"/threads/{start['thread_id']}/messages",
        "agents": "/agents",
        "health": "/health",
    }
    return suna.get(paths[operation])


@pytest.mark.parametrize("operation", [o.value for o in Operation])
@pytest.mark.parametrize(
    ("fault", "status"),
    [("500", 500), ("503", 503), ("429", 429), ("402-limit", 402), ("402-credits", 402)],
)
def test_a_refusal_comes_once(suna, sandbox, operation, fault, status) -> None:
    start = suna.start(PROMPT)
    sandbox.fault(operation, fault)
    answer = call(suna, operation, start)
    assert answer.status_code == status
    assert answer.json()["detail"]
    assert call(suna, operation, start).status_code == 200


def test_the_two_kinds_of_402(suna, sandbox) -> None:
    sandbox.fault("start", "402-limit")
    limited = call(suna, "start", {"agent_run_id": ""}).json()["detail"]
    assert limited["error_code"] == "AGENT_RUN_LIMIT_EXCEEDED"
    assert limited["running_count"] == len(limited["running_thread_ids"])
    sandbox.fault("start", "402-credits")
    broke = call(suna, "start", {"agent_run_id": ""}).json()["detail"]
    if suna.base == "/api":
        assert "subscription" in broke
    else:
        assert broke["error_code"] == "INSUFFICIENT_CREDITS"


def test_a_dropped_answer_is_a_start_that_happened(suna, sandbox) -> None:
    before = len(sandbox.starts())
    sandbox.fault("start", "drop-answer")
    with pytest.raises(httpx2.RemoteProtocolError):
        suna.start(PROMPT)
    assert len(sandbox.starts()) == before + 1


def test_a_refused_start_is_none(suna, sandbox) -> None:
    before = len(sandbox.starts())
    sandbox.fault("start", "503", times=2)
    for _ in range(2):
        assert call(suna, "start", {"agent_run_id": ""}).status_code == 503
    assert len(sandbox.starts()) == before


def test_a_hanging_call_does_nothing(suna, sandbox) -> None:
    before = len(sandbox.starts())
    sandbox.fault("start", "hang")
    with pytest.raises(httpx2.ReadTimeout):
        suna.http.post(
            suna.base + ("/agent/initiate" if suna.base == "/api" else "/agent/start"),
            data={"prompt": PROMPT},
            timeout=0.05,
        )
    assert len(sandbox.starts()) == before


def test_a_hanging_stream_answers_its_head(suna, sandbox) -> None:
    start = suna.start(PROMPT)
    sandbox.fault("stream", "hang")
    path = f"{suna.base}/agent-run/{start['agent_run_id']}/stream"
    with suna.http.stream("GET", path, timeout=0.05) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx2.ReadTimeout):
            answer.read()


def test_a_dropped_stream_has_begun(suna, sandbox) -> None:
    start = suna.start(f"{PROMPT} [[sleep=0.1]]")
    sandbox.fault("stream", "drop-answer")
    path = f"{suna.base}/agent-run/{start['agent_run_id']}/stream"
    with suna.http.stream("GET", path) as answer:
        chunks = answer.iter_raw()
        assert next(chunks).startswith(b"data: ")
        with pytest.raises(httpx2.RemoteProtocolError):
            list(chunks)


class TestLies:
    def test_a_run_that_errors_is_completed_without_text(self, suna, sandbox) -> None:
        """Era A's first trap: the error is in the stream and nowhere else."""
        sandbox.fault("start", "lie-completed")
        start = suna.start(PROMPT)
        run = suna.run(start)
        assert (run["status"], run["error"]) == ("completed", None)
        assert [m["type"] for m in suna.messages(start)] == ["user"]
        assert suna.frames(start)[0]["status"] == "error"

    def test_a_status_may_lie_once(self, suna, sandbox) -> None:
        start = suna.start(f"{PROMPT} [[sleep=30]]")
        sandbox.fault("status", "lie-completed")
        sandbox.fault("status", "fail-run")
        answers = [suna.run(start) for _ in range(3)]
        assert [a["status"] for a in answers] == ["completed", "failed", "running"]
        assert "Traceback" in answers[1]["error"]

    def test_a_stream_may_lie(self, suna, sandbox) -> None:
        start = suna.start(f"{PROMPT} [[sleep=30]]")
        sandbox.fault("stream", "lie-completed")
        frames = suna.frames(start)
        assert [f["status"] for f in frames] == ["completed"]
        assert suna.run(start)["status"] == "running"

    def test_messages_may_lack_the_answer(self, suna, sandbox) -> None:
        start = suna.start(PROMPT)
        sandbox.fault("messages", "empty-answer")
        assert [m["type"] for m in suna.messages(start)] == ["user"]
        assert [m["type"] for m in suna.messages(start)] == ["user", "assistant"]

    @pytest.mark.parametrize(("fault", "messages"), [("empty-answer", 1), ("ask", 2)])
    def test_a_start_may_be_told_how_to_end(self, suna, sandbox, fault, messages) -> None:
        sandbox.fault("start", fault)
        start = suna.start(PROMPT)
        assert suna.run(start)["status"] == "completed"
        assert len(suna.messages(start)) == messages


class TestControl:
    def test_faults_are_shown_and_cleared(self, sandbox, http) -> None:
        sandbox.fault("health", "500", times=2)
        sandbox.fault("health", "503")
        queued = {"faults": {"health": ["500", "500", "503"]}}
        assert http.get("/sandbox/faults").json() == queued
        assert http.get("/sandbox/health").json()["faults"] == queued["faults"]
        assert http.delete("/sandbox/faults").status_code == 204
        assert http.get("/sandbox/faults").json() == {"faults": {}}

    @pytest.mark.parametrize(
        "body",
        [
            {"operation": "health", "fault": "ask"},
            {"operation": "tea", "fault": "500"},
            {"operation": "health", "fault": "500", "times": 0},
            {"operation": "health", "fault": "500", "extra": 1},
        ],
    )
    def test_impossible_faults_are_422(self, http, body) -> None:
        assert http.post("/sandbox/faults", json=body).status_code == 422
        assert http.get("/sandbox/faults").json() == {"faults": {}}


def test_a_fault_that_means_nothing_is_refused_with_the_possible_ones() -> None:
    with pytest.raises(ValueError, match=r"ask is not possible on stop; possible: 402-credits"):
        Faults().add(Operation.STOP, Fault.ASK)
    assert Fault.ASK in possible(Operation.START)


def test_a_hanging_call_does_not_keep_the_sandbox_from_stopping(suna_of) -> None:
    with running_sandbox() as sandbox:
        sandbox.fault("agents", "hang")
        client = suna_of(sandbox)
        with pytest.raises(httpx2.ReadTimeout):
            client.http.get("/api/agents", timeout=0.05)
        sandbox.fault("agents", "hang")
        began = time.monotonic()
    assert time.monotonic() - began < 2
