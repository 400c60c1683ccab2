"""A run over time: status, stream, messages, and a stop. The test moves the clock."""

import json
import threading

import httpx2
import pytest

from renum_sandbox import constants
from renum_sandbox.suna.starting import TRACEBACK
from renum_sandbox.testing import running_sandbox

PROMPT = "Create a marketing campaign for the new reusable bottle of Aurora Café."
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def plain_answer(messages: list[dict]) -> str:
    content = messages[-1]["content"]
    return content["content"]


class TestOverTime:
    def test_a_run_takes_its_time(self, clocked, clock) -> None:
        start = clocked.start(PROMPT, constants.DRAFT_AGENT_ID)
        clock.forward(1.4)
        run = clocked.run(start)
        assert run["status"] == "running"
        assert run["completedAt"] is None
        assert len(clocked.messages(start)) == 1
        clock.forward(1.7)
        run = clocked.run(start)
        assert run["status"] == "completed"
        assert run["completedAt"] > run["startedAt"]
        assert [m["type"] for m in clocked.messages(start)] == ["user", "assistant"]

    def test_a_marker_sets_the_length(self, clocked, clock) -> None:
        start = clocked.start(f"{PROMPT} [[sleep=60]]")
        clock.forward(59)
        assert clocked.run(start)["status"] == "running"
        clock.forward(2)
        assert clocked.run(start)["status"] == "completed"

    def test_a_stop_ends_a_run_and_its_text(self, clocked, clock, stream_text) -> None:
        start = clocked.start(PROMPT, constants.DRAFT_AGENT_ID)
        clock.forward(1.0)
        assert clocked.stop(start).json() == {"status": "stopped"}
        clock.forward(60)
        run = clocked.run(start)
        assert run["status"] == "stopped"
        assert len(clocked.messages(start)) == 1
        frames = clocked.frames(start)
        assert frames[-1]["status"] == "completed"  # what the real one says after every end
        # The older eras delete what could be replayed; era B repeats what was said before the stop.
        assert bool(stream_text(frames)) == clocked.native

    def test_a_stop_overwrites_completed(self, clocked, clock) -> None:
        start = clocked.start(PROMPT)
        clock.forward(10)
        assert clocked.run(start)["status"] == "completed"
        clocked.stop(start)
        assert clocked.run(start)["status"] == "stopped"
        assert len(clocked.messages(start)) == 2

    def test_era_b_knows_a_run_only_after_a_moment(self, clocked, clock) -> None:
        start = clocked.start(f"{PROMPT} [[late=3]]")
        path = f"/agent-run/{start['agent_run_id']}"
        answer = clocked.get(path)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Agent run not found"})
        runs = clocked.get(f"/thread/{start['thread_id']}/agent-runs").json()
        assert runs == {"agent_runs": [], "_pending": True}
        assert clocked.get(f"/threads/{start['thread_id']}/messages").json()["_pending"] is True
        clock.forward(3)
        assert clocked.get(path).status_code == 200
        assert "_pending" not in clocked.get(f"/thread/{start['thread_id']}/agent-runs").json()


class TestStream:
    def test_the_replay_says_the_whole_answer(self, suna, stream_text) -> None:
        start = suna.start(PROMPT, constants.DRAFT_AGENT_ID)
        frames = suna.frames(start)
        answer = suna.messages(start, optimized=False)
        assert stream_text(frames) == plain_answer(answer)
        whole = [f for f in frames if f["type"] == "assistant" and f["message_id"]]
        assert [f["message_id"] for f in whole] == [answer[-1]["message_id"]]
        assert json.loads(whole[0]["metadata"])["stream_status"] == "complete"

    def test_a_tool_turn_comes_before_the_answer(self, suna, stream_text) -> None:
        frames = suna.frames(suna.start(PROMPT, constants.REVIEW_AGENT_ID))
        progress = [
            json.loads(f["content"]) for f in frames if f["type"] == "status" and "content" in f
        ]
        kinds = [p["status_type"] for p in progress]
        assert kinds.count("thread_run_end") == 2
        reasons = [p["finish_reason"] for p in progress if p["status_type"] == "finish"]
        first = "tool_calls" if suna.native else "xml_tool_limit_reached"
        assert reasons == [first, "agent_terminated"]
        assert any(f["type"] == "tool" for f in frames)
        assert ("<function_calls>" in stream_text(frames)) == (not suna.native)

    def test_a_live_stream_of_era_a_ends_with_a_control_word(self, era_a) -> None:
        frames = era_a.frames(era_a.start(f"{PROMPT} [[sleep=0.1]]"))
        assert [f.get("status") for f in frames[-2:]] == ["completed", "END_STREAM"]

    def test_a_live_stream_of_era_b_ends_without(self, era_b) -> None:
        frames = era_b.frames(era_b.start(f"{PROMPT} [[sleep=0.1]]"))
        assert frames[0]["type"] == "ack"
        assert frames[-1]["status"] == "completed"

    @pytest.mark.parametrize(("base", "control"), [("/api", "ERROR"), ("/v1", "failed")])
    def test_a_failing_run_breaks_in_the_middle(self, base, control, era_a, era_b) -> None:
        suna = era_a if base == "/api" else era_b
        start = suna.start(f"{PROMPT} [[fail]] [[sleep=0.1]]")
        frames = suna.frames(start)
        assert frames[-1]["status"] == control
        run = suna.run(start)
        assert run["status"] == "failed"
        assert run["error"] == "The prompt asked the sandbox to fail this run"
        assert len(suna.messages(start)) == 1
        # Opened later, the stream says `completed` all the same.
        assert suna.frames(start)[-1]["status"] == "completed"

    def test_era_b_resumes_behind_an_event(self, era_b) -> None:
        start = era_b.start(PROMPT)
        frames = era_b.frames(start)
        rest = era_b.frames(start, last_id=frames[9]["_event_id"])
        assert [f["_event_id"] for f in rest[:-1]] == [f["_event_id"] for f in frames[10:-1]]
        assert len(era_b.frames(start, last_id="nonsense")) == len(frames)

    def test_era_a_has_no_event_ids(self, era_a) -> None:
        assert not any("_event_id" in f for f in era_a.frames(era_a.start(PROMPT)))

    def test_only_era_b_pings(self, suna_of, stream_frames) -> None:
        with running_sandbox(ping_s=0.01) as sandbox:
            for base, pings in (("/api", False), ("/v1", True)):
                suna = suna_of(sandbox, base)
                frames = suna.frames(suna.start(f"{PROMPT} [[sleep=0.1]] [[late=0]] [[empty]]"))
                assert ({"type": "ping"} in frames) is pings

    @pytest.mark.parametrize("base", ["/api", "/v1"])
    def test_a_stop_reaches_an_open_stream(self, base, era_a, era_b, stream_frames) -> None:
        suna = era_a if base == "/api" else era_b
        start = suna.start(f"{PROMPT} [[sleep=30]]")
        with suna.http.stream("GET", f"{base}/agent-run/{start['agent_run_id']}/stream") as answer:
            assert answer.status_code == 200
            suna.stop(start)
            frames = stream_frames(answer.read().decode())
        assert frames[-1]["status"] == ("STOP" if base == "/api" else "stopped")

    def test_a_stream_does_not_keep_the_sandbox_from_stopping(self) -> None:
        seen: list[bytes] = []
        opened = threading.Event()

        def read(url: str, key: str) -> None:
            headers = {"X-API-Key": key}
            with httpx2.Client(base_url=url, headers=headers, trust_env=False) as http:
                data = {"prompt": f"{PROMPT} [[sleep=300]]"}
                start = http.post("/api/agent/initiate", data=data).json()
                path = f"/api/agent-run/{start['agent_run_id']}/stream"
                with http.stream("GET", path) as answer:
                    opened.set()
                    seen.append(answer.read())

        with running_sandbox() as sandbox:
            reader = threading.Thread(target=read, args=(sandbox.url, sandbox.suna_api_key))
            reader.start()
            assert opened.wait(5)
        reader.join(5)
        assert seen == [b""]


class TestMessages:
    def test_initiate_encodes_its_first_message_twice(self, era_a, era_b) -> None:
        start = era_a.start(PROMPT)
        content = era_a.messages(start)[0]["content"]
        assert json.loads(content) == {"role": "user", "content": PROMPT}
        assert era_b.messages(era_b.start(PROMPT))[0]["content"]["content"] == PROMPT

    def test_newest_first_unless_asked_otherwise(self, suna) -> None:
        start = suna.start(PROMPT)
        path = f"/threads/{start['thread_id']}/messages"
        kinds = [m["type"] for m in suna.get(path).json()["messages"]]
        assert kinds == ["assistant", "user"]
        assert suna.get(path, order="sideways").status_code == 422

    def test_era_a_answers_by_xml_or_in_plain_text(self, era_a) -> None:
        xml = plain_answer(era_a.messages(era_a.start(PROMPT, constants.REVIEW_AGENT_ID)))
        assert xml.startswith('<function_calls>\n<invoke name="complete">\n<parameter name="text">')
        assert "# Review:" in xml
        plain = plain_answer(era_a.messages(era_a.start(PROMPT, constants.OUTLINE_AGENT_ID)))
        assert plain.startswith("# Outline:")

    def test_era_b_answers_by_native_calls(self, era_b) -> None:
        start = era_b.start(PROMPT, constants.REVIEW_AGENT_ID)
        last = era_b.messages(start)[-1]
        assert "content" not in last
        assert last["metadata"]["text_content"] == ""
        call = last["metadata"]["tool_calls"][0]
        assert call["function_name"] == "complete"
        assert call["arguments"]["text"].startswith("# Review:")
        full = era_b.messages(start, optimized=False)[-1]["content"]
        arguments = full["tool_calls"][0]["function"]["arguments"]
        assert json.loads(arguments) == call["arguments"]

    def test_era_b_answers_in_plain_text_too(self, era_b) -> None:
        last = era_b.messages(era_b.start(PROMPT, constants.OUTLINE_AGENT_ID))[-1]
        assert last["metadata"]["text_content"].startswith("# Outline:")
        assert "tool_calls" not in last["metadata"]

    def test_an_agent_may_ask_a_human(self, era_a, era_b) -> None:
        start = era_a.start(f"{PROMPT} [[ask]]")
        assert era_a.run(start)["status"] == "completed"
        assert '<invoke name="ask">' in plain_answer(era_a.messages(start))
        last = era_b.messages(era_b.start(f"{PROMPT} [[ask]]"))[-1]
        assert last["metadata"]["tool_calls"][0]["function_name"] == "ask"

    def test_an_agent_may_say_nothing(self, suna) -> None:
        start = suna.start(f"{PROMPT} [[empty]]")
        assert suna.run(start)["status"] == "completed"
        assert [m["type"] for m in suna.messages(start)] == ["user"]

    def test_markers_do_not_reach_the_agent(self, suna) -> None:
        start = suna.start(f"{PROMPT} [[sleep=0]]", constants.OUTLINE_AGENT_ID)
        assert "sleep" not in json.dumps(suna.messages(start, optimized=False)[1:])


@pytest.mark.parametrize("path", ["", "/stream"])
def test_unknown_runs(suna, path) -> None:
    assert suna.get(f"/agent-run/{UNKNOWN}{path}").status_code == 404
    assert suna.get(f"/agent-run/nonsense{path}").status_code == 500


def test_the_error_of_a_real_failure_is_a_traceback(suna, sandbox) -> None:
    sandbox.fault("start", "fail-run")
    start = suna.start(PROMPT)
    assert suna.run(start)["error"] == TRACEBACK
