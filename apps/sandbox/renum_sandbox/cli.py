"""The command `renum-sandbox`."""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from renum_sandbox.app import NotInProduction, create_sandbox
from renum_sandbox.openai import ChatModel
from renum_sandbox.server import NotLoopback, listen, make_server, url_of

_DEFAULT_EXPIRE_MINUTES = "60"


def serve(
    host: Annotated[str, typer.Option(help="A loopback address.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="0 takes the last port of the data directory, or a free one.")
    ] = 0,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where state is kept; in memory without it.")
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0, help="Multiplies the length of runs: 0 is instant.")
    ] = 1.0,
    script: Annotated[
        str, typer.Option(help="Faults to come, such as 429,drop-stream@3,slowx2.")
    ] = "",
    slow_s: Annotated[
        float, typer.Option(min=0, help="The delay of the fault `slow`, in seconds.")
    ] = 0.3,
    exit_with_parent: Annotated[
        bool, typer.Option("--exit-with-parent", help="Exit when standard input ends.")
    ] = False,
) -> None:
    """
    Serve Suna and Supabase Auth for development, on loopback only.

    Prints one line, `renum-sandbox ready URL`, when it answers. OPENAI_BASE_URL (with
    OPENAI_API_KEY and OPENAI_MODEL) puts a real model behind the agents; JWT_EXPIRE_MINUTES
    sets the life of access tokens; tokens signed with JWT_SECRET_KEY are accepted too.
    """
    model = ChatModel.from_env(os.environ)
    try:
        with listen(host, port, data_dir) as bound:
            app = create_sandbox(
                data_dir=data_dir,
                base_url=url_of(bound),
                speed=speed,
                access_token_s=_access_token_s(),
                slow_s=slow_s,
                model=model,
                jwt_secret=os.environ.get("JWT_SECRET_KEY"),
                script=script,
            )
            server = make_server(app, ready_line=f"renum-sandbox ready {url_of(bound)}")
            if model is not None:
                typer.echo(f"agents answer with {model.name} at {model.base_url}", err=True)
            # uvicorn raises a signal again when it is done, for whoever handled it before. With
            # these, that ends in a clean exit; and a signal before its time is not lost.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, server.handle_exit)
            if exit_with_parent:
                threading.Thread(target=_exit_at_end_of_stdin, name="parent", daemon=True).start()
            server.run([bound])
    except (NotLoopback, NotInProduction, OSError, ValueError) as error:
        typer.echo(f"renum-sandbox: {error}", err=True)
        raise typer.Exit(2) from error
    if not server.started:
        raise typer.Exit(1)


def _access_token_s() -> int:
    minutes = os.environ.get("JWT_EXPIRE_MINUTES") or _DEFAULT_EXPIRE_MINUTES
    try:
        return int(float(minutes) * 60)
    except ValueError as error:
        raise ValueError(f"JWT_EXPIRE_MINUTES is not a number: {minutes!r}") from error


def _exit_at_end_of_stdin() -> None:
    """A parent that was killed closes our standard input: nobody is left to stop us."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    typer.run(serve)
