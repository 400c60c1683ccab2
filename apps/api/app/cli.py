"""
The command `renum-api`.

Heavy modules are imported by the commands that need them, so that the others start at once.
"""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any, NoReturn
from uuid import UUID

import typer

from app.core.settings import ConfigurationError, Settings

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Renum: teams of Suna agents, run durably and watched live.",
)

Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")]
NoWorker = Annotated[bool, typer.Option("--no-worker", help="Leave executions to `worker`.")]
_GREETING = """
  Renum runs on {url}

    Try it        {url}/docs
    Demo user     ana@renum.example, password renum-demo
    Stop it       Ctrl-C; everything is kept for the next time

"""

_ACCOUNT_STAYS = (
    "Their account at Supabase Auth, where they sign in, is not Renum's: delete it there."
)

users = typer.Typer(no_args_is_help=True, help="What is stored about one user.")
cli.add_typer(users, name="users")

UserId = Annotated[UUID, typer.Argument(help="Their id at Supabase Auth, a UUID.")]
DataDir = Annotated[Path, typer.Option(help="Where development keeps its data.")]


@cli.command()
def serve(host: Host = "127.0.0.1", port: Port = 8000, no_worker: NoWorker = False) -> None:
    """Serve the API, and run executions in the same process."""
    _serve(Settings.load(), host, port, no_worker=no_worker)


@cli.command()
def dev(
    port: Port = 8000,
    data_dir: DataDir = Path(".renum"),
    no_worker: NoWorker = False,
    speed: Annotated[
        float, typer.Option(min=0, help="Length of the sandbox's runs; 0 is instant.")
    ] = 1.0,
) -> None:
    """Serve everything, with a database and a sandbox in place of what is not set."""
    asked = Settings.load(app_env="development", data_dir=data_dir)
    _serve(asked, "127.0.0.1", port, no_worker=no_worker, speed=speed)


@cli.command()
def worker(
    host: Host = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Answer /metrics and /health on this port; 0 takes a free one."
        ),
    ] = None,
) -> None:
    """Run executions only; as many of these processes as you like."""
    from app import server

    bound = nullcontext() if port is None else server.listen(host, port)
    with bound as listening, _prepared(Settings.load()) as settings:
        if listening is None:
            server.work(settings)
        else:
            server.serve(settings, listening, api=False)


@cli.command()
def migrate(
    grant_to: Annotated[
        str | None,
        typer.Option(metavar="ROLE", help="Let this role run the service; no more than that."),
    ] = None,
) -> None:
    """Bring the database to the schema of this version."""
    from app.infra.db.grants import GrantError, grant_service
    from app.infra.db.migrations import TableInUse, upgrade

    settings = Settings.load()
    with _stack(settings) as filled:
        if not filled.direct_url:
            raise ConfigurationError(["DATABASE_URL is missing"])
        url = filled.direct_url.get_secret_value()
        try:
            upgrade(url)
        except TableInUse as error:
            raise ConfigurationError([str(error)]) from error
        if grant_to is not None:
            try:
                grant_service(url, grant_to)
            except GrantError as error:
                raise ConfigurationError([f"--grant-to: {error}"]) from error


@cli.command()
def restored() -> None:
    """Make a database usable that a backup was restored into; before any server starts."""
    from app.upkeep import restart_logs

    with _stack(Settings.load()) as filled:
        if not filled.direct_url:
            raise ConfigurationError(["DATABASE_URL is missing"])
        floor = restart_logs(filled.direct_url.get_secret_value())
    typer.echo(f"all event logs go on after id {floor}; clients are told to read anew")


@users.command("export")
def export_user(
    user_id: UserId,
    out: Annotated[Path, typer.Option(help="The file to write: one JSON object a line.")],
) -> None:
    """Write all that is stored about a user to a new file, without hashes and secrets."""
    from app import upkeep

    with _prepared(Settings.load()) as settings:
        try:
            counts = upkeep.export_user(settings, user_id, out)
        except OSError as error:
            raise ConfigurationError([f"--out {out}: {error.strerror}"]) from error
    typer.echo(f"{out}: {_counted(counts)}")


@users.command("delete")
def delete_user(
    user_id: UserId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Stop all that runs for a user, and delete all that is stored about them."""
    from app import upkeep
    from app.usecases.user_data import StillRunning

    with _prepared(Settings.load()) as settings:
        counts = upkeep.count_user(settings, user_id)
        typer.echo(f"user {user_id}: {_counted(counts)}")
        if not yes:
            typer.confirm("Delete all of it, for good?", abort=True)
        try:
            deleted = upkeep.forget_user(settings, user_id)
        except StillRunning as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from error
    typer.echo(f"deleted: {_counted(deleted)}")
    typer.echo(_ACCOUNT_STAYS, err=True)


@cli.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Look at every setting and dependency, and say what to do. Ends with 1 if anything fails."""
    import asyncio

    from app.core.logging import configure_logging
    from app.doctor import examine, show
    from app.doctor.findings import Outcome, worst

    configure_logging("ERROR", for_people=not as_json)
    try:
        settings = Settings.load()
    except ConfigurationError as error:
        findings = examine.bad_values(error)
    else:
        findings = asyncio.run(examine.examine(settings))
    typer.echo(show.as_json(findings) if as_json else show.for_people(findings))
    raise typer.Exit(int(worst(findings) is Outcome.FAILED))


@cli.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    from app.main import create_app

    # The defaults, whatever the environment says: the document must be the same everywhere.
    _print(create_app(Settings.model_construct(), worker=False).openapi())


@cli.command()
def asyncapi() -> None:
    """Print the AsyncAPI document of the live stream."""
    from app.api.live.asyncapi import asyncapi

    _print(asyncapi(Settings.model_construct()))


@cli.command()
def team_schema() -> None:
    """Print the JSON Schema of team files."""
    from app.schemas.team_file import team_file_schema

    _print(team_file_schema())


@cli.command()
def stop(data_dir: DataDir = Path(".renum")) -> None:
    """Stop the development database that a killed server has left running."""
    from app.infra.db.embedded import stop_embedded_postgres
    from app.infra.db.embedded_programs import EmbeddedPostgresError

    try:
        stopped = stop_embedded_postgres(data_dir / "postgres")
    except EmbeddedPostgresError as error:
        raise ConfigurationError([str(error)]) from error
    if stopped:
        typer.echo("stopped the development database", err=True)


def _serve(asked: Settings, host: str, port: int, *, no_worker: bool, speed: float = 1.0) -> None:
    from app import server

    with server.listen(host, port) as bound, _prepared(asked, speed=speed) as settings:
        greeting = ""
        if asked.in_development and not asked.supabase_url and sys.stderr.isatty():
            greeting = _GREETING.format(url=server.url_of(bound))
        server.serve(settings, bound, worker=not no_worker, greeting=greeting)


@contextmanager
def _prepared(asked: Settings, *, speed: float = 1.0) -> Iterator[Settings]:
    """Checked settings, logs, signals, and in development everything that is missing."""
    from app.core.logging import configure_logging

    configure_logging(asked.effective_log_level, for_people=asked.logs_for_people)
    # uvicorn raises the signals that it has served once more: so this ends the process cleanly
    # whenever they come, and what was started is stopped.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _exit)
    with _stack(asked, speed=speed) as settings:
        settings.check()
        if settings.in_development:
            from app.infra.db.migrations import upgrade

            upgrade(settings.direct_url.get_secret_value())
        yield settings


def _stack(asked: Settings, *, speed: float = 1.0) -> AbstractContextManager[Settings]:
    if not asked.in_development:
        return nullcontext(asked)
    from app.localstack import development_stack

    return development_stack(asked, speed=speed)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {table}" for table, n in counts.items()) or "nothing is stored"


def _print(document: dict[str, Any]) -> None:
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _exit(*_: object) -> NoReturn:
    raise SystemExit(0)


def main() -> None:
    """Entry point: what is wrong with the settings is a list, not a traceback."""
    try:
        cli()
    except ConfigurationError as error:
        lines = "".join(f"\n  - {problem}" for problem in error.problems)
        sys.stderr.write(f"renum-api cannot start:{lines}\n")
        sys.exit(2)
