"""
Every error Renum answers with, by what the caller can do about it.

    RenumError
    ├── BadRequest            the request contradicts itself
    ├── Unauthenticated       no token, or a token that does not hold
    ├── Forbidden             known, but not allowed
    ├── NotFound              does not exist, or belongs to somebody else
    ├── Conflict              well-formed, but the current state forbids it
    ├── OutOfDate             the caller knows an older state than the current one
    ├── Gone                  it existed, and is kept no longer
    ├── Invalid               understood, but a value cannot be accepted; says where
    ├── LimitReached          too much, too fast
    ├── UpstreamRefused       a service behind us said no
    └── Unavailable           a service behind us is away; try again

`code` is public API: clients branch on it, so it never changes. No HTTP here: `app.api.errors`
maps each kind to its status. Concrete errors stand beside what they are about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar


class RenumError(Exception):
    """Root. The message is a sentence that a person can act on."""

    code: ClassVar[str]
    title: ClassVar[str]
    #: Seconds after which a retry makes sense; None when the caller has no reason to wait.
    retry_after_s: int | None = None
    #: What a program may want to know, beside the message.
    extras: Mapping[str, object] = MappingProxyType({})


class BadRequest(RenumError):
    """The request contradicts itself."""


class Unauthenticated(RenumError):
    """No token, or a token that does not hold."""

    code = "unauthenticated"
    title = "Authentication required"


class Forbidden(RenumError):
    """The caller is known, but not allowed."""


class NotFound(RenumError):
    """It does not exist, or it is somebody else's: the caller cannot tell which."""


class Conflict(RenumError):
    """Well-formed, but the current state forbids it."""


class OutOfDate(RenumError):
    """The caller knows an older state than the current one."""


class Gone(RenumError):
    """It existed, and is kept no longer."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One place in a request that cannot be accepted; `loc` is a path as Pydantic writes it."""

    loc: tuple[str | int, ...]
    code: str
    message: str


class Invalid(RenumError):
    """
    Understood, but one or more values cannot be accepted.

    `problems` names every place.
    """

    code = "validation_error"
    title = "The request is not valid"

    def __init__(self, detail: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(detail)


class LimitReached(RenumError):
    """A limit of this user or of this service is reached."""


class UpstreamRefused(RenumError):
    """A service behind Renum refused what Renum asked on the caller's behalf."""


class Unavailable(RenumError):
    """A service behind Renum is away; nothing was changed, try again later."""

    retry_after_s = 5


class DatabaseUnavailable(Unavailable):
    """PostgreSQL does not answer."""

    code = "database_unavailable"
    title = "Database unavailable"
