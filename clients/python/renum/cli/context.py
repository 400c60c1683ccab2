"""From a command to the client and back."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import platformdirs
import typer

from renum.cli.exits import BadInput, Exit, exit_of, report
from renum.client import AsyncClient
from renum.credentials import FileTokenStore
from renum.errors import RenumError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Settings:
    """Of one invocation: `url` is normal (see http.normal_url)."""

    url: str

    def client(self) -> AsyncClient:
        """RENUM_API_KEY wins over RENUM_TOKEN, and both over what `renum login` has stored."""
        folder = os.environ.get("RENUM_CONFIG_DIR") or platformdirs.user_config_dir("renum")
        return AsyncClient(
            self.url,
            store=FileTokenStore(Path(folder).expanduser(), self.url),
            api_key=os.environ.get("RENUM_API_KEY") or None,
            access_token=os.environ.get("RENUM_TOKEN") or None,
        )


def call(
    ctx: typer.Context,
    work: Callable[[AsyncClient], Awaitable[T]],
    *,
    as_json: bool = False,
    on_stop: Callable[[], None] = lambda: None,
) -> T:
    """Do the work with a client, as in `told`."""
    settings: Settings = ctx.obj

    async def run() -> T:
        async with settings.client() as client:
            return await work(client)

    with told(as_json=as_json, on_stop=on_stop):
        return asyncio.run(run())


@contextmanager
def told(*, as_json: bool, on_stop: Callable[[], None] = lambda: None) -> Iterator[None]:
    """
    Errors in the block are told, and become the exit code.

    `on_stop` may say more after an error or Ctrl-C. What waits for a person (a prompt, stdin)
    belongs in such a block of its own: in an event loop, Ctrl-C would not end it.
    """
    try:
        yield
    except (RenumError, BadInput) as error:
        report(error, as_json=as_json)
        on_stop()
        raise typer.Exit(exit_of(error)) from None
    except (KeyboardInterrupt, typer.Abort):
        on_stop()
        raise typer.Exit(Exit.INTERRUPTED) from None
