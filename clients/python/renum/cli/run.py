"""`renum run` and `renum watch`."""

from typing import Annotated

import typer

from renum.cli.context import call, told
from renum.cli.exits import BadInput, exit_of_status, print_error
from renum.cli.files import read_context, read_text
from renum.cli.lookup import find_team
from renum.cli.output import Json, echo, print_json, print_json_line
from renum.cli.results import print_results, print_summary
from renum.cli.views import view_for
from renum.client import AsyncClient
from renum.errors import NotFound
from renum.models import Execution, Team
from renum.progress import RunProgress

Events = Annotated[
    bool, typer.Option("--events", help="Print every event as a line of JSON, then the result.")
]


def run(
    ctx: typer.Context,
    team: Annotated[str, typer.Argument(help="The team's id or exact name.")],
    prompt: Annotated[str, typer.Argument(help="The task; `-` reads it from stdin.")],
    context: Annotated[
        list[str] | None,
        typer.Option(help="key=text, or key:=json; repeatable.", metavar="KEY=VALUE"),
    ] = None,
    context_file: Annotated[str | None, typer.Option(help="A JSON object; `-` is stdin.")] = None,
    timeout_minutes: Annotated[int | None, typer.Option(min=1, max=1440)] = None,
    parallel_limit: Annotated[int | None, typer.Option(min=1, max=50)] = None,
    no_retry: Annotated[bool, typer.Option("--no-retry", help="One attempt per agent.")] = False,
    idempotency_key: Annotated[
        str | None,
        typer.Option(help="The same command with the same key starts one run, within a day."),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Start it, and do not wait.")] = False,
    as_json: Json = False,
    events: Events = False,
) -> None:
    """
    Run a team on a task, and show it live.

    Ctrl-C only stops watching: the run goes on. Progress goes to stderr when stdout is a pipe.
    """
    watching = _Watching(as_json=as_json, events=events)
    with told(as_json=as_json or events):
        if prompt == context_file == "-":
            raise BadInput("stdin cannot be both the prompt and the context")
        task = read_text("-") if prompt == "-" else prompt
        if not task.strip():
            raise BadInput("the prompt is empty")
        given = read_context(context or [], context_file)

    async def work(client: AsyncClient) -> Execution:
        found = await find_team(client, team)
        started = await client.teams.execute(
            found.id,
            task,
            context=given,
            timeout_minutes=timeout_minutes,
            parallel_limit=parallel_limit,
            retry_failed=False if no_retry else None,
            idempotency_key=idempotency_key,
        )
        watching.execution_id = started.execution_id
        return started if detach else await watching.follow(client, found)

    execution = call(ctx, work, as_json=as_json or events, on_stop=watching.say_how_to_go_on)
    if not detach:
        raise typer.Exit(exit_of_status(execution.status))
    if as_json or events:
        print_json(execution)
    else:
        echo(execution.execution_id)
        watching.say_how_to_go_on()


def watch(
    ctx: typer.Context,
    execution_id: Annotated[str, typer.Argument(metavar="EXECUTION_ID")],
    as_json: Json = False,
    events: Events = False,
) -> None:
    """Watch a run to its end. Ctrl-C only stops watching."""
    watching = _Watching(as_json=as_json, events=events)

    async def work(client: AsyncClient) -> Execution:
        execution = await client.executions.get(execution_id)
        watching.execution_id = execution_id
        team = None
        if execution.team_id is not None:
            try:
                team = await client.teams.get(execution.team_id)
            except NotFound:
                team = None  # deleted since
        return await watching.follow(client, team)

    execution = call(ctx, work, as_json=as_json or events, on_stop=watching.say_how_to_go_on)
    raise typer.Exit(exit_of_status(execution.status))


class _Watching:
    """One run in front of one person, or script."""

    def __init__(self, *, as_json: bool, events: bool) -> None:
        self._as_json = as_json
        self._events = events
        self.execution_id: str | None = None

    async def follow(self, client: AsyncClient, team: Team | None) -> Execution:
        """Show the run until it ends, then its results."""
        if self.execution_id is None:
            raise ValueError("nothing to follow")
        progress = RunProgress(self.execution_id)
        if team is not None:
            progress.take_team(team)
        with view_for(progress, as_json=self._as_json, events=self._events) as view:
            execution = await client.watch(
                self.execution_id,
                on_snapshot=view.snapshot,
                on_event=view.event,
                on_state=view.state,
            )
        self.execution_id = None  # it has ended: nothing to go on with
        if self._events:
            print_json_line({"type": "execution", "data": execution})
        elif self._as_json:
            print_json(execution)
        else:
            print_results(execution, progress, team)
            print_summary(execution, progress)
        return execution

    def say_how_to_go_on(self) -> None:
        if self.execution_id is not None:
            print_error("The run goes on without you.")
            print_error(f"  Watch it:  renum watch {self.execution_id}")
            print_error(f"  Cancel it: renum executions cancel {self.execution_id}")
