"""What every request handler of the sandbox shares."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from renum_sandbox.auth import tokens
from renum_sandbox.auth.keys import SigningKey
from renum_sandbox.bell import Bell
from renum_sandbox.faults import Faults
from renum_sandbox.openai import ChatModel
from renum_sandbox.state import State

if TYPE_CHECKING:
    from renum_sandbox.suna.model_runs import ModelRuns


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the starter of a sandbox may choose; see `create_sandbox`."""

    base_url: str | None = None
    speed: float = 1.0
    access_token_s: int = 3600
    ping_s: float = 5.0
    slow_s: float = 0.3
    jwt_secret: str | None = field(default=None, repr=False)
    model: ChatModel | None = None
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """One running sandbox: made when the server starts, closed when it stops."""

    options: Options
    state: State
    signing_key: SigningKey
    faults: Faults
    bell: Bell
    model_runs: "ModelRuns | None"

    def now(self) -> float:
        """Seconds since the epoch, by the sandbox's clock."""
        return self.options.clock()

    def verify(self, token: str) -> tokens.Claims:
        """Who an access token speaks for, by our clock and keys. Raises BadToken."""
        return tokens.verify(
            self.signing_key, token, now=self.now(), legacy_secret=self.options.jwt_secret
        )


# `async` keeps the look-up on the event loop: FastAPI sends plain functions to a thread.
async def _current(request: Request) -> Sandbox:
    sandbox: Sandbox = request.app.state.sandbox
    return sandbox


CurrentSandbox = Annotated[Sandbox, Depends(_current)]
