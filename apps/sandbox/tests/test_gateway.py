"""The dialect `execute`: what Renum's specification assumed, over the same runs."""

from pathlib import Path

import httpx2
import pytest
from apps.sandbox.tests.clients import Gateway

from renum_sandbox import constants
from renum_sandbox.suna.starting import OUT_OF_CREDIT, TRACEBACK
from renum_sandbox.testing import running_sandbox

PROMPT = "Summarise: Coffee sells. Coffee sells well in winter. Tea waits for spring."
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def test_an_execution_is_accepted_and_completes(gateway, sandbox) -> None:
    answer = gateway.execute(PROMPT)
    assert answer.status_code == 202
    start = answer.json()
    assert set(start) == {"execution_id", "agent_id", "status", "started_at"}
    assert (start["agent_id"], start["status"]) == (constants.SUMMARISE_AGENT_ID, "running")
    run = gateway.run(start)
    assert run.pop("output").startswith("# Summary")
    assert run.pop("completed_at") >= start["started_at"]
    assert run == {**start, "status": "completed", "error": None, "needs_input": False}
    listed = sandbox.starts()[-1]
    assert (listed["run_id"], listed["dialect"]) == (start["execution_id"], "execute")
    assert listed["prompt"] == PROMPT


def test_every_agent_answers_clean_text(gateway) -> None:
    agents = gateway.call("agents").json()["agents"]
    assert len(agents) == 6
    for agent in agents:
        output = gateway.run(gateway.start(PROMPT, agent["agent_id"]))["output"]
        assert len(output) > 20
        assert "<" not in output


@pytest.mark.parametrize(
    ("marker", "status", "needs_input"),
    [
        ("[[ask]]", "completed", True),
        ("[[empty]]", "completed", False),
        ("[[fail]]", "failed", False),
    ],
)
def test_markers_work_here_too(gateway, marker, status, needs_input) -> None:
    run = gateway.run(gateway.start(f"{PROMPT} {marker}"))
    assert (run["status"], run["needs_input"]) == (status, needs_input)
    assert (run["output"] is None) == (marker != "[[ask]]")
    assert (run["error"] is None) == (marker != "[[fail]]")


class TestIdempotency:
    def test_the_same_key_is_the_same_execution(self, gateway, sandbox) -> None:
        before = len(sandbox.starts())
        first = gateway.execute(PROMPT, **{"Idempotency-Key": "one"})
        again = gateway.execute(PROMPT, **{"Idempotency-Key": "one"})
        assert [first.status_code, again.status_code] == [202, 200]
        assert again.json()["execution_id"] == first.json()["execution_id"]
        assert again.json()["status"] == "completed"
        other = gateway.start(PROMPT, **{"Idempotency-Key": "two"})
        assert other["execution_id"] != first.json()["execution_id"]
        assert len(sandbox.starts()) == before + 2

    def test_a_lost_answer_is_found_by_the_key(self, gateway, sandbox) -> None:
        sandbox.fault("start", "drop-answer")
        with pytest.raises(httpx2.RemoteProtocolError):
            gateway.execute(PROMPT, **{"Idempotency-Key": "lost"})
        lost = sandbox.starts()[-1]["run_id"]
        again = gateway.execute(PROMPT, **{"Idempotency-Key": "lost"})
        assert (again.status_code, again.json()["execution_id"]) == (200, lost)

    def test_a_key_survives_a_restart(self, tmp_path: Path, suna_of) -> None:
        path = f"/gateway/api/agents/{constants.DRAFT_AGENT_ID}/execute"
        call = {"json": {"input_data": {"prompt": PROMPT}}, "headers": {"Idempotency-Key": "k"}}
        with running_sandbox(tmp_path) as sandbox:
            first = suna_of(sandbox).http.post(path, **call).json()
        with running_sandbox(tmp_path) as sandbox:
            again = suna_of(sandbox).http.post(path, **call)
            assert (again.status_code, again.json()["execution_id"]) == (
                200,
                first["execution_id"],
            )
            assert len(sandbox.starts()) == 1


class TestCancel:
    def test_a_running_one_is_cancelled(self, gateway) -> None:
        start = gateway.start(f"{PROMPT} [[sleep=60]]")
        answer = gateway.call("stop", start)
        assert answer.json() == {"execution_id": start["execution_id"], "status": "cancelled"}
        run = gateway.run(start)
        assert (run["status"], run["output"], run["error"]) == ("cancelled", None, None)
        assert gateway.call("stop", start).status_code == 409

    def test_one_that_ended_is_not(self, gateway) -> None:
        start = gateway.start(PROMPT)
        answer = gateway.call("stop", start)
        assert (answer.status_code, answer.json()) == (
            409,
            {"detail": "Execution has already ended"},
        )
        assert gateway.run(start)["status"] == "completed"

    def test_a_cancel_may_be_ignored(self, gateway, sandbox) -> None:
        start = gateway.start(f"{PROMPT} [[sleep=60]]")
        sandbox.script("ignore-stop")
        assert gateway.call("stop", start).json()["status"] == "cancelled"
        assert gateway.run(start)["status"] == "running"


class TestFaults:
    @pytest.mark.parametrize(
        ("fault", "status", "error", "needs_input"),
        [
            ("fail-run", "failed", TRACEBACK, False),
            ("billing-stop", "cancelled", OUT_OF_CREDIT, False),
            ("lie-completed", "completed", None, False),
            ("forever", "running", None, False),
            ("worker-timeout", "failed", "Worker timeout", False),
            ("empty-answer", "completed", None, False),
            ("ask", "completed", None, True),
            ("takeover", "completed", None, True),
            ("old-ask", "completed", None, True),
            ("old-tags", "completed", None, False),
            ("attachments", "completed", None, False),
        ],
    )
    def test_how_a_run_ends(self, gateway, sandbox, fault, status, error, needs_input) -> None:
        sandbox.fault("start", fault)
        run = gateway.run(gateway.start(PROMPT))
        assert (run["status"], run["error"], run["needs_input"]) == (status, error, needs_input)
        with_output = needs_input or fault in ("old-tags", "attachments")
        assert bool(run["output"]) == with_output
        assert "<" not in (run["output"] or "")

    def test_a_start_may_not_tell_its_execution(self, gateway, sandbox) -> None:
        sandbox.fault("start", "no-run-id")
        assert gateway.start(PROMPT)["execution_id"] is None

    def test_the_output_may_be_late(self, clocked_client, clocked_sandbox, clock) -> None:
        gateway = Gateway(clocked_client)
        clocked_sandbox.fault("start", "late-answer")
        start = gateway.start(PROMPT)
        clock.forward(5)
        assert gateway.run(start)["output"].startswith("# Summary")
        clocked_sandbox.fault("start", "late-answer")
        start = gateway.start(f"{PROMPT} [[sleep=5]]")
        clock.forward(5.1)
        run = gateway.run(start)
        assert (run["status"], run["output"]) == ("completed", None)
        clock.forward(0.3)
        assert gateway.run(start)["output"].startswith("# Summary")

    @pytest.mark.parametrize("operation", ["status", "stop"])
    def test_one_call_may_know_nothing(self, gateway, sandbox, operation) -> None:
        start = gateway.start(f"{PROMPT} [[sleep=60]]")
        sandbox.fault(operation, "404")
        answer = gateway.call(operation, start)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Execution not found"})
        assert gateway.call(operation, start).status_code == 200

    @pytest.mark.parametrize("fault", ["404", "404-first"])
    def test_an_execution_may_be_unknown(self, gateway, sandbox, fault) -> None:
        sandbox.fault("start", fault)
        answer = gateway.call("status", gateway.start(PROMPT))
        assert (answer.status_code, answer.json()) == (404, {"detail": "Execution not found"})


class TestRefusals:
    @pytest.mark.parametrize("agent_id", [UNKNOWN, constants.PRIVATE_AGENT_ID])
    def test_agents_that_one_cannot_start(self, gateway, sandbox, agent_id) -> None:
        before = len(sandbox.starts())
        assert gateway.execute(PROMPT, agent_id).status_code == 404
        assert len(sandbox.starts()) == before

    @pytest.mark.parametrize("body", [{}, {"input_data": {}}, {"prompt": PROMPT}])
    def test_a_body_without_a_prompt(self, gateway, body) -> None:
        path = f"/gateway/api/agents/{constants.DRAFT_AGENT_ID}/execute"
        assert gateway.http.post(path, json=body).status_code == 422

    def test_no_credentials(self, http) -> None:
        assert http.get("/gateway/api/health").status_code == 200
        for path in ("agents", f"executions/{UNKNOWN}"):
            assert http.get(f"/gateway/api/{path}").status_code == 401

    @pytest.mark.parametrize("operation", ["status", "stop"])
    def test_unknown_executions(self, gateway, operation) -> None:
        assert gateway.call(operation).status_code == 404
