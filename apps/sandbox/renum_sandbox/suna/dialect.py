"""The two eras of Suna that the sandbox speaks at the same time."""

from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Request


class Dialect(StrEnum):
    INITIATE = "initiate"  # era A (July to October 2025), under /api
    START = "start"  # era B (from December 2025), under /v1

    @property
    def prefix(self) -> str:
        return "/api" if self is Dialect.INITIATE else "/v1"

    @property
    def agent_word(self) -> str:
        """What this era calls an agent in its errors."""
        return "Agent" if self is Dialect.INITIATE else "Worker"


async def _dialect(request: Request) -> Dialect:
    return Dialect.START if request.url.path.startswith("/v1/") else Dialect.INITIATE


CurrentDialect = Annotated[Dialect, Depends(_dialect)]
