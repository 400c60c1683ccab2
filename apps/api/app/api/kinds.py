"""Which HTTP status each kind of error is, and the errors that only HTTP knows."""

from app.domain.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    LimitReached,
    NotFound,
    OutOfDate,
    RenumError,
    Unauthenticated,
    Unavailable,
    UpstreamRefused,
)


class RouteNotFound(NotFound):
    """There is nothing at this path."""

    code = "route_not_found"
    title = "No such path"


class MethodNotAllowed(RenumError):
    """The path takes other methods only; `Allow` names them."""

    code = "method_not_allowed"
    title = "The path does not take this method"


class BodyTooLarge(RenumError):
    """The body is larger than 1 MiB."""

    code = "body_too_large"
    title = "The body is too large"


class MalformedJson(Invalid):
    """The body is not JSON, not UTF-8, or nested too deeply."""

    code = "malformed_json"
    title = "The body is not JSON"


class InternalError(RenumError):
    """Our fault. What happened is in the log, under the request's id, and nowhere else."""

    code = "internal_error"
    title = "Internal error"


#: The nearest class of an error decides; what is not listed never reaches a client as itself.
_STATUS: dict[type[RenumError], int] = {
    BadRequest: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    Conflict: 409,
    Gone: 410,
    OutOfDate: 412,
    BodyTooLarge: 413,
    Invalid: 422,
    LimitReached: 429,
    InternalError: 500,
    UpstreamRefused: 502,
    Unavailable: 503,
}


def status_of(error: type[RenumError]) -> int:
    """The HTTP status of an error class; 500 for one that is not meant for clients."""
    return next((_STATUS[kind] for kind in error.__mro__ if kind in _STATUS), 500)


def internal_error() -> InternalError:
    return InternalError("Something went wrong on our side. Quote the request_id when you ask.")
