"""Log lines: readable by their reader, and without a secret in them."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from app.core.logging import REDACTED, configure_logging, redact

JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """Where the log goes; `logging` and structlog are as before when the test ends."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield io.StringIO()
    root.handlers, root.level = before
    structlog.reset_defaults()


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_json_lines_carry_the_request(out: io.StringIO) -> None:
    configure_logging("INFO", for_people=False, stream=out)
    with structlog.contextvars.bound_contextvars(request_id="r-1", user_id="u-1"):
        structlog.get_logger("app.test").info("happened", count=3)
        logging.getLogger("aiohttp.client").warning("slow %s", "answer")
    ours, theirs = lines(out)
    assert ours.pop("timestamp").endswith("Z")
    assert ours == {
        "event": "happened",
        "count": 3,
        "level": "info",
        "logger": "app.test",
        "request_id": "r-1",
        "user_id": "u-1",
    }
    assert (theirs["event"], theirs["logger"]) == ("slow answer", "aiohttp.client")
    assert theirs["request_id"] == "r-1"


def test_levels_hold_for_everybody(out: io.StringIO) -> None:
    configure_logging("WARNING", for_people=False, stream=out)
    structlog.get_logger("app.test").info("quiet")
    logging.getLogger("uvicorn.error").info("quiet")
    logging.getLogger("uvicorn.access").error("never: we have our own")
    assert lines(out) == []


def test_chatty_libraries_are_quiet(out: io.StringIO) -> None:
    configure_logging("DEBUG", for_people=False, stream=out)
    logging.getLogger("procrastinate.worker").info("quiet")
    logging.getLogger("psycopg").warning("quiet")
    logging.getLogger("psycopg.pool").warning("heard")
    structlog.get_logger("app.test").debug("heard")
    assert [line["event"] for line in lines(out)] == ["heard", "heard"]


@pytest.mark.parametrize("for_people", [True, False])
def test_a_traceback_shows_no_variables_and_no_secrets(out: io.StringIO, for_people: bool) -> None:
    configure_logging("INFO", for_people=for_people, stream=out)

    def connect(hidden: str) -> None:
        raise ValueError(f"no answer of postgresql://renum:hunter3@db.example/x ({len(hidden)})")

    try:
        connect(f"hunter{2}")
    except ValueError:
        structlog.get_logger("app.test").exception("failed")
    assert "Traceback" in out.getvalue()
    assert f"renum:{REDACTED}@db.example" in out.getvalue()
    assert "hunter2" not in out.getvalue()
    assert "hunter3" not in out.getvalue()


def test_people_get_lines_without_colours_in_files(out: io.StringIO) -> None:
    configure_logging("INFO", for_people=True, stream=out)
    structlog.get_logger("app.test").info("happened", count=3)
    assert "happened" in out.getvalue()
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Basic YWJj"),
        ("apikey", "abc"),
        ("X-API-Key", "pk_a:sk_b"),
        ("password", "hunter2"),
        ("refresh_token", "abcdefghijkl"),
        ("client_secret", b"abc"),
        ("set-cookie", "a=b"),
    ],
)
def test_secrets_are_known_by_name(name: str, value: object) -> None:
    assert redact(None, "", {"headers": [{name: value}]}) == {"headers": [{name: REDACTED}]}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"got {JWT}!", f"got {REDACTED}!"),
        (JWT.partition(".")[0], REDACTED),
        ("key sb_secret_AbC123 used", f"key {REDACTED} used"),
        ("key pk_abc:sk_def used", f"key pk_abc:{REDACTED} used"),
        ("signed with whsec_AbC+/=-1 now", f"signed with {REDACTED} now"),
        ("/ws?Token=abc&page=2", f"/ws?Token={REDACTED}&page=2"),
        ("/a?b=c&refresh_token=abc", f"/a?b=c&refresh_token={REDACTED}"),
        ("authorization: bearer abc.def", f"authorization: Bearer {REDACTED}"),
        ("postgresql://u:p%40ss@h:1/d", f"postgresql://u:{REDACTED}@h:1/d"),
        ("host=h password='a b' user=u", f"host=h password={REDACTED} user=u"),
        ("postgresql:///d?password=abc&host=h", f"postgresql:///d?password={REDACTED}&host=h"),
        # What only looks a little like one stays.
        ("http://127.0.0.1:8000/a@b", "http://127.0.0.1:8000/a@b"),
        ("the task_id of risk_assessment", "the task_id of risk_assessment"),
    ],
)
def test_secrets_are_known_by_look(text: str, shown: str) -> None:
    assert redact(None, "", {"event": text}) == {"event": shown}


def test_counts_and_objects_stay_readable() -> None:
    class Thing:
        def __repr__(self) -> str:
            return f"Thing({JWT})"

    event = {"tokens": 17, "missing": None, "thing": Thing(), "ok": True, "tags": {"a"}}
    assert redact(None, "", event) == {
        "tokens": 17,
        "missing": None,
        "thing": f"Thing({REDACTED})",
        "ok": True,
        "tags": ["a"],
    }


def test_a_value_that_contains_itself_is_cut() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert redact(None, "", {"endless": endless}) == {"endless": [[[[[["..."]]]]]]}
