"""
What can go wrong, as a tree:

* RenumError
  x ConnectionFailed    no answer came
  x UnexpectedAnswer    an answer came, but not one of a Renum server
  x NotSignedIn         there is no token to send
  x ApiError            the server answered with a problem (RFC 9457)
    + Unauthorized      401
    + NotFound          404
    + Conflict          409, 412
    + InvalidRequest    422
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class RenumError(Exception):
    """Root of every error that this package raises on purpose."""


class ConnectionFailed(RenumError):
    """
    No answer came.

    `sent` is True when the request may have reached the server: whatever it asks for may
    have been done.
    """

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class UnexpectedAnswer(RenumError):
    """The answer is not one that a Renum server gives: usually a wrong URL."""


class NotSignedIn(RenumError):
    """There is no access token for this server."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One invalid field; `loc` is its path, such as `("agents", 0, "config")`."""

    loc: tuple[str | int, ...]
    code: str
    message: str

    @property
    def path(self) -> str:
        """`agents[0].config`; the place that every body field shares, "body", is left out."""
        parts = self.loc[1:] if len(self.loc) > 1 and self.loc[0] == "body" else self.loc
        return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in parts).lstrip(".")


class ApiError(RenumError):
    """
    The server refused.

    `code` is stable: branch on it. `detail` is a sentence for people. `retry_after_s` is set
    when the server said how long to wait.
    """

    def __init__(
        self,
        *,
        status: int,
        code: str,
        detail: str,
        errors: tuple[FieldError, ...] = (),
        request_id: str | None = None,
        retry_after_s: float | None = None,
        problem: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        self.problem = problem or {"status": status, "code": code, "detail": detail}

    @staticmethod
    def from_problem(
        status: int,
        problem: Mapping[str, Any],
        *,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> "ApiError":
        """The error for one problem document; whatever it lacks is filled in."""
        return _BY_STATUS.get(status, ApiError)(
            status=status,
            code=str(problem.get("code") or f"http_{status}"),
            detail=str(problem.get("detail") or problem.get("title") or f"HTTP status {status}"),
            errors=_field_errors(problem.get("errors")),
            request_id=problem.get("request_id") or request_id,
            retry_after_s=retry_after_s,
            problem=problem,
        )


class Unauthorized(ApiError):
    """401: no valid token, or wrong e-mail or password."""


class NotFound(ApiError):
    """404: it does not exist, or it is another user's."""


class Conflict(ApiError):
    """409 or 412: the present state forbids it."""


class InvalidRequest(ApiError):
    """422: the input is invalid; `errors` says where."""


_BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthorized,
    404: NotFound,
    409: Conflict,
    412: Conflict,
    422: InvalidRequest,
}


def _field_errors(items: object) -> tuple[FieldError, ...]:
    if not isinstance(items, list):
        return ()
    return tuple(
        FieldError(
            loc=tuple(item.get("loc") or ()),
            code=str(item.get("code", "")),
            message=str(item.get("message", "")),
        )
        for item in items
        if isinstance(item, dict)
    )
