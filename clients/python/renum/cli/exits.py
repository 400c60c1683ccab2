"""How the command ends: its exit code is part of its interface."""

import json
import os
import sys
from enum import IntEnum

from renum.cli.text import clean
from renum.errors import ApiError, ConnectionFailed, NotSignedIn, RenumError


class Exit(IntEnum):
    OK = 0
    FAILED = 1
    USAGE = 2
    CANCELLED = 3
    AUTH = 4
    UNREACHABLE = 5
    INTERNAL = 70
    INTERRUPTED = 130


HELP = """Exit codes: 0 completed, 1 failed, 2 usage or bad input, 3 cancelled,
4 not signed in or not allowed, 5 server unreachable, 70 a bug, 130 interrupted."""

_BY_STATUS = {401: Exit.AUTH, 403: Exit.AUTH, 404: Exit.USAGE, 413: Exit.USAGE, 422: Exit.USAGE}


class BadInput(Exception):
    """What the person gave cannot be used; the message says what would do."""


def exit_of_status(status: str) -> Exit:
    """The exit code of a run."""
    return {"completed": Exit.OK, "cancelled": Exit.CANCELLED}.get(status, Exit.FAILED)


def exit_of(error: Exception) -> Exit:
    match error:
        case BadInput():
            return Exit.USAGE
        case NotSignedIn():
            return Exit.AUTH
        case ConnectionFailed():
            return Exit.UNREACHABLE
        case ApiError():
            return _BY_STATUS.get(error.status, Exit.FAILED)
        case _:
            return Exit.FAILED


def report(error: RenumError | BadInput, *, as_json: bool) -> None:
    """Tell on stderr what went wrong and what to do."""
    if as_json:
        print_error(json.dumps({"error": _as_json(error)}, ensure_ascii=False))
        return
    print_error(f"renum: {error}")
    if isinstance(error, ApiError):
        for field in error.errors:
            print_error(f"  {field.path}: {field.message}")
        if error.retry_after_s is not None:
            print_error(f"  Try again in {error.retry_after_s:.0f} s.")
        if error.request_id is not None:
            print_error(f"  Request id: {error.request_id}")
    if isinstance(error, ConnectionFailed) and error.sent:
        print_error("  The request may have been carried out: look before you send it again.")
    if exit_of(error) is Exit.AUTH and not _is_about_password(error):
        print_error(f"  {_how_to_be_let_in()}")


def _how_to_be_let_in() -> str:
    for name in ("RENUM_API_KEY", "RENUM_TOKEN"):
        if os.environ.get(name):
            return f"{name} is not, or no longer, valid: set another, or unset it to use a login."
    return "Sign in with: renum login"


def print_error(line: str) -> None:
    sys.stderr.write(clean(line) + "\n")


def _is_about_password(error: Exception) -> bool:
    return isinstance(error, ApiError) and (
        error.code == "invalid_credentials" or error.status == 403
    )


def _as_json(error: RenumError | BadInput) -> dict[str, object]:
    if isinstance(error, ApiError):
        return {**error.problem, "request_id": error.request_id}
    code = {
        Exit.USAGE: "bad_input",
        Exit.AUTH: "not_signed_in",
        Exit.UNREACHABLE: "unreachable",
    }.get(exit_of(error), "unexpected_answer")
    return {"code": code, "detail": str(error)}
