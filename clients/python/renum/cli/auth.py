"""`renum login` and `renum logout`."""

import sys
from typing import Annotated
from urllib.parse import urlsplit

import typer

from renum.cli.context import call, told
from renum.cli.exits import BadInput, print_error
from renum.cli.output import Json, echo, print_json
from renum.cli.text import clean
from renum.client import AsyncClient


def login(
    ctx: typer.Context,
    email: Annotated[str | None, typer.Option(help="Asked for when not given.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Sign in. The tokens are kept for later commands, in a file that only you can read."""
    with told(as_json=as_json):
        address, password = _credentials(email, password_stdin=password_stdin)

    async def work(client: AsyncClient) -> None:
        _warn_of_open_line(client.url)
        user = await client.login(address, password)
        if as_json:
            print_json({"url": client.url, "user": user})
        else:
            echo(f"Signed in to {client.url} as {clean(user.name or address)}.")

    call(ctx, work, as_json=as_json)


def logout(ctx: typer.Context, as_json: Json = False) -> None:
    """End the session on the server, and forget its tokens."""

    async def work(client: AsyncClient) -> None:
        await client.logout()
        if as_json:
            print_json({"url": client.url})
        else:
            echo(f"Signed out of {client.url}.")

    call(ctx, work, as_json=as_json)


def _credentials(email: str | None, *, password_stdin: bool) -> tuple[str, str]:
    if password_stdin:
        if email is None:
            raise BadInput("--password-stdin needs --email")
        return email, sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise BadInput("there is no terminal to ask on: give --email and --password-stdin")
    address: str = email or typer.prompt("E-mail", err=True)
    return address, typer.prompt("Password", hide_input=True, err=True)


def _warn_of_open_line(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in {"127.0.0.1", "::1", "localhost"}:
        print_error(f"renum: warning: {url} is not https, others may read your password")
