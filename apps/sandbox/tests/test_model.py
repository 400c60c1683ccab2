"""Agents that a model answers: a little chat server on loopback stands for it."""

import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from renum_sandbox import constants
from renum_sandbox.agents.catalogue import SYSTEM_PROMPT_MARK
from renum_sandbox.openai import DEFAULT_MODEL, ChatModel
from renum_sandbox.testing import RunningSandbox, running_sandbox

Answer = Callable[[BaseHTTPRequestHandler], None]


class FakeModel:
    """Answers every chat as `answer` says; remembers what it was asked."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.requests: list[tuple[str, dict, str | None]] = []
        self.answer: Answer = says("Hello ", "world")
        self.release = threading.Event()

    @contextmanager
    def serving(self) -> Iterator[str]:
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = json.loads(self.rfile.read(length))
                model.requests.append((self.path, body, self.headers["Authorization"]))
                model.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = False
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def chunk(text: str | None) -> bytes:
    choices = [] if text is None else [{"delta": {"content": text}}]
    return b"data: " + json.dumps({"choices": choices}).encode() + b"\n\n"


def sends(status: int, content_type: str, body: bytes) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def says(*pieces: str, done: bool = True) -> Answer:
    body = b": comment\n\n" + b"".join(map(chunk, pieces)) + chunk(None)
    return sends(200, "text/event-stream", body + (b"data: [DONE]\n\n" if done else b""))


def says_then_waits(model: FakeModel) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        says("Half an answer", done=False)(handler)
        handler.wfile.flush()
        model.release.wait(10)

    return answer


@pytest.fixture(scope="module")
def fake_model() -> FakeModel:
    return FakeModel()


@pytest.fixture(scope="module")
def model_url(fake_model: FakeModel) -> Iterator[str]:
    with fake_model.serving() as url:
        yield url


@pytest.fixture
def model(fake_model: FakeModel) -> Iterator[FakeModel]:
    fake_model.reset()
    yield fake_model
    fake_model.release.set()


@pytest.fixture(scope="module")
def shared_backed(model_url: str) -> Iterator[RunningSandbox]:
    with running_sandbox(model=ChatModel(model_url, "sk-test", "tiny")) as sandbox:
        yield sandbox


@pytest.fixture
def backed(model: FakeModel, shared_backed: RunningSandbox) -> RunningSandbox:
    """A sandbox whose agents the model answers."""
    return shared_backed


@pytest.mark.parametrize("base", ["/api", "/v1"])
def test_the_model_answers(model, backed, suna_of, stream_text, base) -> None:
    suna = suna_of(backed, base)
    start = suna.start("Say hello", constants.REVIEW_AGENT_ID)
    assert stream_text(suna.frames(start)) == "Hello world"
    assert suna.run(start)["status"] == "completed"
    last = suna.messages(start, optimized=False)[-1]
    assert last["content"] == {"role": "assistant", "content": "Hello world"}
    ((path, body, authorization),) = model.requests
    assert (path, body["model"], body["stream"]) == ("/v1/chat/completions", "tiny", True)
    assert authorization == "Bearer sk-test"
    system, user = body["messages"]
    assert SYSTEM_PROMPT_MARK in system["content"]
    assert user == {"role": "user", "content": "Say hello"}
    assert stream_text(suna.frames(start)) == "Hello world"  # and again, as a replay


def test_a_server_that_cannot_stream_is_fine(model, backed, suna_of, stream_text) -> None:
    body = json.dumps({"choices": [{"message": {"content": "All at once"}}]}).encode()
    model.answer = sends(200, "application/json", body)
    suna = suna_of(backed)
    assert stream_text(suna.frames(suna.start("Say hello"))) == "All at once"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (sends(401, "application/json", b"{}"), "the model answered 401"),
        (sends(200, "application/json", b"tea"), "the model answered something that is no comple"),
        (sends(200, "application/json", b"[]"), "the model answered something that is no comple"),
        (
            sends(200, "text/event-stream", b"data: " + b"x" * 600_000),
            "the model answered something that is no completion",
        ),
        (says("Half", done=False), "the model stopped in the middle of its answer"),
        (
            sends(200, "text/event-stream", b'data: {"error": "secret sk-test"}\n\n'),
            "the model reported an error",
        ),
    ],
)
def test_an_error_of_the_model_fails_the_run(model, backed, suna_of, answer, error) -> None:
    model.answer = answer
    suna = suna_of(backed)
    start = suna.start("Say hello")
    assert suna.frames(start)[-1]["status"] in ("ERROR", "completed")
    run = suna.run(start)
    assert run["status"] == "failed"
    assert run["error"].startswith(error)
    assert "sk-test" not in run["error"]


def test_a_model_without_words_completes_without_text(model, backed, suna_of) -> None:
    model.answer = says(" ")
    suna = suna_of(backed)
    start = suna.start("Say hello")
    suna.frames(start)
    assert suna.run(start)["status"] == "completed"
    assert len(suna.messages(start)) == 1


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://127.0.0.1:9", "the model cannot be reached"),
        ("http://[", "the address of the model is not valid"),
    ],
)
def test_a_model_that_is_not_there_fails_the_run(suna_of, url, error) -> None:
    with running_sandbox(model=ChatModel(url)) as sandbox:
        suna = suna_of(sandbox)
        start = suna.start("Say hello")
        suna.frames(start)
        assert suna.run(start)["error"] == error


class BrokenModel(ChatModel):
    """A model client with a bug."""

    async def stream(self, *, system: str, user: str) -> AsyncIterator[str]:
        yield "Half"
        raise KeyError(system, user)


def test_a_bug_fails_the_run_instead_of_losing_it(suna_of) -> None:
    with running_sandbox(model=BrokenModel("http://127.0.0.1:9")) as sandbox:
        suna = suna_of(sandbox)
        start = suna.start("Say hello")
        suna.frames(start)
        assert suna.run(start)["error"] == "the answer of the model could not be read"


def test_a_stop_ends_the_call(model, backed, suna_of, stream_text, stream_frames) -> None:
    model.answer = says_then_waits(model)
    suna = suna_of(backed)
    start = suna.start("Say hello")
    path = f"/api/agent-run/{start['agent_run_id']}/stream"
    with suna.http.stream("GET", path) as answer:
        pieces = answer.iter_text()
        seen = ""
        while "Half" not in seen:
            seen += next(pieces)
        assert suna.run(start)["status"] == "running"
        suna.stop(start)
        seen += "".join(pieces)
    assert stream_frames(seen)[-1]["status"] == "STOP"
    assert suna.run(start)["status"] == "stopped"
    assert len(suna.messages(start)) == 1


def test_a_restart_fails_a_run_in_progress(tmp_path: Path, model, model_url, suna_of) -> None:
    model.answer = says_then_waits(model)
    with running_sandbox(tmp_path, model=ChatModel(model_url)) as sandbox:
        start = suna_of(sandbox).start("Say hello")
    with running_sandbox(tmp_path) as sandbox:
        run = suna_of(sandbox).run(start)
    assert run["status"] == "failed"
    assert run["error"] == "The sandbox was restarted during the run"


def test_a_finished_run_survives_a_restart(
    tmp_path: Path, model, model_url, suna_of, stream_text
) -> None:
    with running_sandbox(tmp_path, model=ChatModel(model_url)) as sandbox:
        suna = suna_of(sandbox)
        start = suna.start("Say hello")
        suna.frames(start)
    with running_sandbox(tmp_path) as sandbox:
        assert stream_text(suna_of(sandbox).frames(start)) == "Hello world"


def test_markers_and_faults_are_answered_without_the_model(model, backed, suna_of) -> None:
    suna = suna_of(backed)
    assert suna.run(suna.start("Say hello [[fail]]"))["status"] == "failed"
    backed.fault("start", "ask")
    assert suna.run(suna.start("Say hello"))["status"] == "completed"
    assert model.requests == []


def test_the_environment_names_the_model() -> None:
    assert ChatModel.from_env({"OPENAI_API_KEY": "sk"}) is None
    env = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1/"}
    assert ChatModel.from_env(env) == ChatModel("http://127.0.0.1:1/v1", None, DEFAULT_MODEL)
    full = ChatModel.from_env(env | {"OPENAI_API_KEY": "sk-x", "OPENAI_MODEL": "m"})
    assert full == ChatModel("http://127.0.0.1:1/v1", "sk-x", "m")
    assert "sk-x" not in repr(full)
