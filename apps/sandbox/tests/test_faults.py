"""Calls that go wrong on request, in every dialect where that means something."""

import time
from pathlib import Path

import httpx2
import pytest

import renum_sandbox
from renum_sandbox.faults import AUTH, SUNA, Fault, Faults, Operation, natural, possible
from renum_sandbox.testing import running_sandbox

PROMPT = "Summarise: Coffee sells. Coffee sells well in winter. Tea waits for spring."
GATEWAY = ["start", "status", "stop", "agents", "health"]
REFUSALS = {
    "401": 401,
    "402-limit": 402,
    "402-credits": 402,
    "403": 403,
    "422": 422,
    "429": 429,
    "500": 500,
    "503": 503,
    "retry-after": 429,
    "503-retry-after": 503,
}


def refused_once(dialect, sandbox, operation: str, fault: str) -> None:
    start = dialect.start(f"{PROMPT} [[sleep=60]]" if operation == "stop" else PROMPT)
    sandbox.fault(operation, fault)
    answer = dialect.call(operation, start)
    assert answer.status_code == REFUSALS[fault]
    assert answer.json()["detail"]
    assert answer.headers.get("retry-after") == ("1" if "retry-after" in fault else None)
    assert answer.headers.get("www-authenticate") == ("Bearer" if fault == "401" else None)
    assert dialect.call(operation, start).is_success


@pytest.mark.parametrize("operation", sorted(SUNA))
@pytest.mark.parametrize("fault", REFUSALS)
def test_suna_refuses_once(suna, sandbox, operation, fault) -> None:
    refused_once(suna, sandbox, operation, fault)


@pytest.mark.parametrize("operation", GATEWAY)
@pytest.mark.parametrize("fault", REFUSALS)
def test_the_gateway_refuses_once(gateway, sandbox, operation, fault) -> None:
    refused_once(gateway, sandbox, operation, fault)


class TestRefusedStarts:
    def test_the_two_kinds_of_402(self, dialect, sandbox) -> None:
        sandbox.fault("start", "402-limit")
        limited = dialect.call("start").json()["detail"]
        assert limited["error_code"] == "AGENT_RUN_LIMIT_EXCEEDED"
        assert limited["running_count"] == len(limited["running_thread_ids"])
        sandbox.fault("start", "402-credits")
        broke = dialect.call("start").json()["detail"]
        assert broke.get("error_code") == ("INSUFFICIENT_CREDITS" if dialect.coded else None)
        assert ("subscription" in broke) is not dialect.coded

    def test_limits_of_threads_and_models(self, dialect, sandbox) -> None:
        sandbox.script("402-threads,no-model")
        threads, model = dialect.call("start"), dialect.call("start")
        assert threads.json()["detail"]["error_code"] == "THREAD_LIMIT_EXCEEDED"
        if dialect.coded:
            assert model.status_code == 402
            assert model.json()["detail"]["error_code"] == "MODEL_ACCESS_DENIED"
        else:
            assert model.status_code == 403
            assert model.json()["detail"]["allowed_models"]

    @pytest.mark.parametrize("fault", ["503", "502", "garbage", "401"])
    def test_a_refused_start_is_none(self, dialect, sandbox, fault) -> None:
        before = len(sandbox.starts())
        sandbox.fault("start", fault, times=2)
        statuses = {dialect.call("start").status_code for _ in range(2)}
        assert statuses == {200 if fault == "garbage" else int(fault)}
        assert len(sandbox.starts()) == before

    def test_agents_may_be_disabled(self, dialect, sandbox) -> None:
        sandbox.script("403")
        assert "currently disabled" in dialect.call("agents").json()["detail"]


class TestTheConnection:
    def test_a_dropped_answer_is_a_start_that_happened(self, dialect, sandbox) -> None:
        before = len(sandbox.starts())
        sandbox.fault("start", "drop-answer")
        with pytest.raises(httpx2.RemoteProtocolError):
            dialect.call("start")
        assert len(sandbox.starts()) == before + 1

    def test_a_hanging_call_does_nothing(self, dialect, sandbox) -> None:
        before = len(sandbox.starts())
        sandbox.fault("start", "hang")
        with pytest.raises(httpx2.ReadTimeout):
            dialect.call("start", timeout=0.05)
        assert len(sandbox.starts()) == before

    def test_a_slow_call_is_answered_late(self, suna_of) -> None:
        with running_sandbox(slow_s=0.08) as sandbox:
            suna = suna_of(sandbox)
            sandbox.fault("start", "slow")
            began = time.monotonic()
            assert suna.call("start").status_code == 200
            assert time.monotonic() - began >= 0.08

    def test_a_slow_stream_is_silent_between_its_first_frames(self, suna_of) -> None:
        with running_sandbox(slow_s=0.02) as sandbox:
            suna = suna_of(sandbox)
            start = suna.start(PROMPT)
            usual = suna.frames(start)
            sandbox.fault("stream", "slow")
            began = time.monotonic()
            assert suna.frames(start) == usual
            assert time.monotonic() - began >= 0.08

    def test_a_page_of_a_proxy(self, dialect, sandbox) -> None:
        sandbox.fault("agents", "502")
        answer = dialect.call("agents")
        assert answer.headers["content-type"].startswith("text/html")
        assert "502 Bad Gateway" in answer.text

    @pytest.mark.parametrize("operation", GATEWAY)
    def test_garbage_is_no_json(self, dialect, sandbox, operation) -> None:
        sandbox.fault(operation, "garbage")
        answer = dialect.call(operation)
        assert answer.status_code == 200
        with pytest.raises(ValueError, match="Unterminated string"):
            answer.json()

    def test_a_hanging_call_does_not_keep_the_sandbox_from_stopping(self, suna_of) -> None:
        with running_sandbox() as sandbox:
            sandbox.fault("agents", "hang")
            client = suna_of(sandbox)
            with pytest.raises(httpx2.ReadTimeout):
                client.http.get("/api/agents", timeout=0.05)
            began = time.monotonic()
        assert time.monotonic() - began < 2


class TestOfOneRequest:
    def test_a_request_may_bring_its_own_fault(self, dialect, sandbox) -> None:
        sandbox.fault("agents", "500")
        answer = dialect.call("agents", headers={"X-Sandbox-Fault": "503"})
        assert answer.status_code == 503
        assert dialect.call("agents").status_code == 500
        assert dialect.call("agents").status_code == 200

    def test_it_is_not_counted(self, suna, sandbox, http) -> None:
        sandbox.fault("health", "500")
        suna.call("health", headers={"X-Sandbox-Fault": "502"})
        assert http.get("/sandbox/faults").json() == {"faults": {"health": ["500"]}}

    @pytest.mark.parametrize(
        ("fault", "says"),
        [("tea", "'tea' is not a valid Fault"), ("ask", "not possible on health; possible: 401")],
    )
    def test_it_must_mean_something(self, suna, fault, says) -> None:
        answer = suna.call("health", headers={"X-Sandbox-Fault": fault})
        assert answer.status_code == 400
        assert says in answer.json()["detail"]


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

    def test_a_test_is_told_what_is_possible(self, sandbox) -> None:
        with pytest.raises(ValueError, match="ask is not possible on stop; possible: 401"):
            sandbox.fault("stop", "ask")


class TestTable:
    def test_a_fault_that_means_nothing_is_refused_with_the_possible_ones(self) -> None:
        with pytest.raises(ValueError, match=r"ask is not possible on stop; possible: 401"):
            Faults().add(Operation.STOP, Fault.ASK)
        assert Fault.ASK in possible(Operation.START)

    @pytest.mark.parametrize("fault", Fault)
    def test_every_fault_is_at_home_somewhere(self, fault: Fault) -> None:
        assert fault in possible(natural(fault))

    def test_nothing_of_one_system_happens_in_the_other(self) -> None:
        of_auth = set().union(*(possible(o) for o in AUTH))
        assert Fault.CONFLICT in of_auth
        assert Fault.ASK not in of_auth
        assert Fault.CONFLICT not in set().union(*(possible(o) for o in SUNA))

    def test_the_readme_names_all(self) -> None:
        readme = (Path(renum_sandbox.__file__).parents[1] / "README.md").read_text()
        assert [f.value for f in (*Fault, *Operation) if f"`{f}`" not in readme] == []
