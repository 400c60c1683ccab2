"""Runs, streams and messages that are broken on request, in every era of Suna."""

import json

import httpx2
import pytest

from renum_sandbox import constants
from renum_sandbox.suna.starting import OUT_OF_CREDIT

PROMPT = "Summarise: Coffee sells. Coffee sells well in winter. Tea waits for spring."


class TestStreams:
    @pytest.mark.parametrize("fault", ["hang", "silent-stream"])
    def test_a_hanging_stream_answers_its_head(self, suna, sandbox, fault) -> None:
        start = suna.start(PROMPT)
        sandbox.fault("stream", fault)
        path = f"{suna.base}/agent-run/{start['agent_run_id']}/stream"
        with suna.http.stream("GET", path, timeout=0.05) as answer:
            assert answer.status_code == 200
            with pytest.raises(httpx2.ReadTimeout):
                answer.read()

    @pytest.mark.parametrize("fault", ["drop-answer", "drop-stream"])
    @pytest.mark.parametrize("prompt", [PROMPT, f"{PROMPT} [[sleep=0.1]]"])
    def test_a_dropped_stream_has_begun(self, suna, sandbox, stream_frames, fault, prompt) -> None:
        start = suna.start(prompt)
        sandbox.fault("stream", fault)
        path = f"{suna.base}/agent-run/{start['agent_run_id']}/stream"
        heard: list[bytes] = []
        with suna.http.stream("GET", path) as answer, pytest.raises(httpx2.RemoteProtocolError):
            heard.extend(answer.iter_raw())
        assert len(stream_frames(b"".join(heard).decode())) == 2

    def test_a_stream_may_end_without_saying_so(self, suna, sandbox) -> None:
        start = suna.start(PROMPT)
        usual = suna.frames(start)
        sandbox.fault("stream", "no-end")
        assert suna.frames(start) == usual[:-1]

    def test_a_stream_may_say_what_nobody_knows(self, suna, sandbox) -> None:
        start = suna.start(PROMPT)
        usual = suna.frames(start)
        sandbox.fault("stream", "noise")
        text = suna.call("stream", start).text
        assert text.startswith(": ")
        frames = [json.loads(x[6:]) for x in text.splitlines() if x.startswith("data: ")]
        unknown, known = frames[: -len(usual)], frames[-len(usual) :]
        assert "thinking" in [frame["type"] for frame in unknown]
        assert known[:-1] == usual[:-1]

    def test_a_stream_may_lie(self, suna, sandbox) -> None:
        start = suna.start(f"{PROMPT} [[sleep=30]]")
        sandbox.fault("stream", "lie-completed")
        frames = suna.frames(start)
        assert [f["status"] for f in frames] == ["completed"]
        assert suna.run(start)["status"] == "running"

    def test_a_stream_of_garbage(self, suna, sandbox) -> None:
        start = suna.start(PROMPT)
        sandbox.fault("stream", "garbage")
        answer = suna.call("stream", start)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.text.startswith("data: ")


class TestRuns:
    def test_a_run_that_errors_is_completed_without_text(self, suna, sandbox) -> None:
        """Era A's first trap: the error is in the stream and nowhere else."""
        sandbox.fault("start", "lie-completed")
        start = suna.start(PROMPT)
        run = suna.run(start)
        assert (run["status"], run["error"]) == ("completed", None)
        assert [m["type"] for m in suna.messages(start)] == ["user"]
        assert suna.frames(start)[0]["status"] == "error"

    @pytest.mark.parametrize(
        ("fault", "says"),
        [
            ("lie-completed", "completed"),
            ("fail-run", "failed"),
            ("odd-status", "error"),
            ("pending", "pending"),
        ],
    )
    def test_a_status_may_lie_once(self, dialect, sandbox, fault, says) -> None:
        start = dialect.start(f"{PROMPT} [[sleep=30]]")
        sandbox.fault("status", fault)
        answers = [dialect.run(start) for _ in range(2)]
        assert [a["status"] for a in answers] == [says, "running"]
        assert ("Traceback" in (answers[0]["error"] or "")) == (fault == "fail-run")

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

    def test_credit_runs_out_half_way(self, clocked, clock, clocked_sandbox) -> None:
        clocked_sandbox.fault("start", "billing-stop")
        start = clocked.start(f"{PROMPT} [[sleep=10]]", constants.DRAFT_AGENT_ID)
        clock.forward(4)
        assert clocked.run(start)["status"] == "running"
        clock.forward(2)
        run = clocked.run(start)
        assert (run["status"], run["error"]) == ("stopped", OUT_OF_CREDIT)
        assert [m["type"] for m in clocked.messages(start)] == ["user"]

    def test_a_silent_worker_is_given_up(self, suna, sandbox) -> None:
        sandbox.fault("start", "worker-timeout")
        run = suna.run(suna.start(PROMPT))
        assert (run["status"], run["error"]) == ("failed", "Worker timeout")

    def test_a_worker_that_crashed_never_ends(self, clocked, clock, clocked_sandbox) -> None:
        clocked_sandbox.fault("start", "forever")
        start = clocked.start(PROMPT)
        clock.forward(86_400)
        assert clocked.run(start)["status"] == "running"
        assert [m["type"] for m in clocked.messages(start)] == ["user"]
        clocked.stop(start)
        assert clocked.run(start)["status"] == "stopped"

    def test_the_last_message_may_be_late(self, clocked, clock, clocked_sandbox) -> None:
        clocked_sandbox.fault("start", "late-answer")
        start = clocked.start(f"{PROMPT} [[sleep=20]]", constants.REVIEW_AGENT_ID)
        clock.forward(20.1)
        assert clocked.run(start)["status"] == "completed"
        kinds = ["user", "assistant", "tool"]
        assert [m["type"] for m in clocked.messages(start)] == kinds
        clock.forward(0.3)
        assert [m["type"] for m in clocked.messages(start)] == [*kinds, "assistant"]

    def test_a_run_may_be_unknown_at_first(self, clocked, clock, clocked_sandbox) -> None:
        clocked_sandbox.fault("start", "404-first")
        start = clocked.start(PROMPT)
        assert clocked.call("status", start).status_code == 404
        assert clocked.call("stream", start).status_code == 404
        assert clocked.call("runs", start).json() == {"agent_runs": [], "_pending": True}
        clock.forward(0.3)
        assert clocked.call("status", start).status_code == 200

    def test_a_run_may_be_unknown_for_good(self, clocked, clock, clocked_sandbox) -> None:
        clocked_sandbox.fault("start", "404")
        start = clocked.start(PROMPT)
        clock.forward(86_400)
        for operation in ("status", "stream", "stop"):
            assert clocked.call(operation, start).status_code == 404
        assert clocked.call("runs", start).json() == {"agent_runs": []}
        assert clocked_sandbox.starts()[-1]["run_id"] == start["agent_run_id"]

    @pytest.mark.parametrize(
        ("operation", "thing"),
        [
            ("status", "Agent run"),
            ("stream", "Agent run"),
            ("stop", "Agent run"),
            ("messages", "Thread"),
            ("runs", "Thread"),
        ],
    )
    def test_one_call_may_know_nothing(self, suna, sandbox, operation, thing) -> None:
        start = suna.start(PROMPT)
        sandbox.fault(operation, "404")
        answer = suna.call(operation, start)
        assert (answer.status_code, answer.json()) == (404, {"detail": f"{thing} not found"})
        assert suna.call(operation, start).status_code == 200

    def test_one_call_may_know_no_agent(self, suna, sandbox) -> None:
        sandbox.fault("agents", "404")
        assert suna.call("agents").json() == {"detail": f"{suna.agent_word} not found"}

    def test_a_start_may_not_tell_its_run(self, suna, sandbox) -> None:
        sandbox.fault("start", "no-run-id")
        start = suna.start(PROMPT)
        assert start["agent_run_id"] is None
        assert sandbox.starts()[-1]["thread_id"] == start["thread_id"]

    def test_a_stop_may_be_ignored(self, suna, sandbox) -> None:
        start = suna.start(f"{PROMPT} [[sleep=30]]")
        sandbox.fault("stop", "ignore-stop")
        assert suna.stop(start).json() == {"status": "stopped"}
        assert suna.run(start)["status"] == "running"
        suna.stop(start)
        assert suna.run(start)["status"] == "stopped"


class TestShapes:
    """Messages as other versions of Suna have written them."""

    def content(self, suna, start: dict) -> dict:
        return suna.messages(start, optimized=False)[-1]["content"]

    def test_older_tags(self, suna, sandbox) -> None:
        sandbox.script("old-tags,old-ask")
        answers, asks = suna.start(PROMPT), suna.start(PROMPT)
        assert self.content(suna, answers)["content"].startswith("<complete>")
        assert self.content(suna, asks)["content"].startswith("<ask>")
        assert suna.run(asks)["status"] == "completed"

    def test_a_human_shall_take_over_the_browser(self, suna, sandbox) -> None:
        sandbox.script("takeover")
        content = self.content(suna, suna.start(PROMPT))
        if suna.native:
            assert content["tool_calls"][0]["function"]["name"] == "web_browser_takeover"
        else:
            assert '<invoke name="web_browser_takeover">' in content["content"]

    def test_attachments(self, suna, sandbox) -> None:
        sandbox.script("attachments")
        content = self.content(suna, suna.start(PROMPT))
        assert content["content"].startswith("The task is done.")
        assert "/workspace/answer.md" in json.dumps(content)

    def test_double_encoded_messages(self, suna, sandbox) -> None:
        start = suna.start(PROMPT)
        usual = suna.messages(start, optimized=False)
        sandbox.script("double-encoded")
        for message, plain in zip(suna.messages(start, optimized=False), usual, strict=True):
            assert isinstance(message["content"], str)
            assert json.loads(message["metadata"]) == plain["metadata"]

    def test_optimized_messages(self, suna, sandbox) -> None:
        start = suna.start(PROMPT)
        text = self.content(suna, start)["content"]
        sandbox.script("optimized")
        last = suna.messages(start, optimized=False)[-1]
        assert "content" not in last
        assert last["metadata"]["text_content"] == text
