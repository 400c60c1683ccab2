"""The `renum` command line."""

import json
import os
import sys
from importlib.metadata import version as version_of
from typing import Annotated

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]
from typer.exceptions import TyperException

from renum.cli.agents import agents
from renum.cli.api_keys import api_keys
from renum.cli.auth import login, logout
from renum.cli.completion import completion
from renum.cli.conformance import conformance
from renum.cli.context import Settings
from renum.cli.executions import executions
from renum.cli.exits import HELP, BadInput, Exit, print_error, report
from renum.cli.notifications import notifications
from renum.cli.run import run, watch
from renum.cli.teams import teams
from renum.cli.webhooks import webhooks
from renum.http import normal_url

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,  # `renum completion` instead, which guesses nothing
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Teams of AI agents, from your terminal.",
    epilog=HELP,
)
app.command()(login)
app.command()(logout)
app.command()(agents)
app.add_typer(teams, name="teams")
app.command(epilog=HELP)(run)
app.command(epilog=HELP)(watch)
app.add_typer(executions, name="executions")
app.add_typer(notifications, name="notifications")
app.add_typer(api_keys, name="api-keys")
app.add_typer(webhooks, name="webhooks")
app.command(epilog=HELP)(conformance)
app.command()(completion)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"renum {version_of('renum')}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    url: Annotated[
        str, typer.Option(envvar="RENUM_URL", help="The server.", show_default=True)
    ] = "http://127.0.0.1:8000",
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Teams of AI agents, from your terminal."""
    try:
        ctx.obj = Settings(normal_url(url))
    except ValueError as error:
        report(BadInput(str(error)), as_json=_wants_json())
        raise typer.Exit(Exit.USAGE) from None


def main() -> None:
    """Entry point: whatever happens, people see a sentence and not a traceback."""
    try:
        completion_init()  # answers what the scripts of `renum completion` ask
        if not _wants_json():
            app()
        sys.exit(_for_scripts())
    except BrokenPipeError:
        # Whoever read us has gone (`| head`); nothing is left to tell, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.FAILED)
    except Exception as error:
        if os.environ.get("RENUM_DEBUG"):
            raise
        if _wants_json():
            bug = {"code": "internal", "detail": f"{type(error).__name__}: {error}"}
            print_error(json.dumps({"error": bug}, ensure_ascii=False))
            sys.exit(Exit.INTERNAL)
        print_error(f"renum: unexpected error: {type(error).__name__}: {error}")
        print_error("  This is a bug. RENUM_DEBUG=1 shows where it happened.")
        sys.exit(Exit.INTERNAL)


def _for_scripts() -> int:
    """As `app()`, but what is wrong with the command is told as JSON too."""
    try:
        return int(app(standalone_mode=False) or Exit.OK)
    except TyperException as error:
        report(BadInput(error.format_message()), as_json=True)
        return Exit.USAGE


def _wants_json() -> bool:
    """Also while the command is not understood yet."""
    return not {"--json", "--events"}.isdisjoint(sys.argv[1:])
