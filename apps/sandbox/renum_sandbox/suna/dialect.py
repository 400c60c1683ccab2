"""The dialects that the sandbox speaks at the same time: three eras of Suna, and a gateway."""

from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Request


class Dialect(StrEnum):
    INITIATE = "initiate"  # era A, July to October 2025
    START_A2 = "start-a2"  # era A2, to December 2025: the unified start, the rest as era A
    START = "start"  # era B, from December 2025
    EXECUTE = "execute"  # no Suna: a gateway that offers what Renum's specification assumed

    @classmethod
    def of_path(cls, path: str) -> "Dialect":
        """The dialect below whose prefix a path is."""
        return next(dialect for dialect in cls if path.startswith(f"{dialect.prefix}/"))

    @property
    def prefix(self) -> str:
        return _PREFIXES[self]

    @property
    def root(self) -> str:
        """The prefix without its last segment: below it stands the dialect's openapi.json."""
        return self.prefix.rpartition("/")[0]

    @property
    def agent_word(self) -> str:
        """What this dialect calls an agent in its errors."""
        return "Worker" if self is Dialect.START else "Agent"

    @property
    def run_word(self) -> str:
        """What this dialect calls a run in its errors."""
        return "Execution" if self is Dialect.EXECUTE else "Agent run"


_PREFIXES = {
    Dialect.INITIATE: "/api",
    Dialect.START_A2: "/a2/api",
    Dialect.START: "/v1",
    Dialect.EXECUTE: "/gateway/api",
}


async def _dialect(request: Request) -> Dialect:
    return Dialect.of_path(request.url.path)


CurrentDialect = Annotated[Dialect, Depends(_dialect)]
