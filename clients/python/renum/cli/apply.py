"""`renum teams apply`: the teams become what the file says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from renum.cli.exits import BadInput
from renum.cli.lookup import fill_agents, is_id
from renum.cli.output import console, echo, print_json
from renum.cli.text import one_line
from renum.client import AsyncClient
from renum.errors import Conflict, NotFound
from renum.models import Team
from renum.teamfile import Change, body, changes

_STATUSES = ("active", "inactive", "archived")
_STYLES = {"+": "green", "-": "red", "~": "yellow"}


@dataclass(frozen=True, slots=True)
class Step:
    """What will be done about one team; `team` is None where there is none yet."""

    team: Team | None
    wanted: dict[str, Any]
    changes: list[Change]

    @property
    def name(self) -> str:
        return str(self.wanted.get("name"))

    @property
    def action(self) -> str:
        if self.team is None:
            return "created"
        return "updated" if self.changes else "unchanged"

    def as_json(self, team: Team | None) -> dict[str, Any]:
        return {
            "name": self.name,
            "id": team and team.id,
            "version": team and team.version,
            "action": self.action,
            "changes": [
                {"path": one.path, "before": one.before, "after": one.after} for one in self.changes
            ],
        }


async def apply_teams(
    client: AsyncClient, specs: Sequence[dict[str, Any]], *, dry_run: bool, as_json: bool
) -> None:
    """
    All is looked at and checked by the server before anything is changed.

    Raises:
        Conflict: a team has another version than its file says, or was changed meanwhile.
    """
    steps = [await _step(client, spec) for spec in specs]
    _refuse_twins(steps)
    done = []
    for step in steps:
        team = step.team if dry_run else await _carry_out(client, step)
        done.append(step.as_json(team))
        if not as_json:
            _tell(step, team, dry_run=dry_run)
    if as_json:
        print_json({"teams": done, "dry_run": dry_run})


async def _step(client: AsyncClient, spec: dict[str, Any]) -> Step:
    if (status := spec.get("status", "active")) not in _STATUSES:
        raise BadInput(f"status {status!r} is none of {', '.join(_STATUSES)}")
    version = spec.get("version")
    if version is not None and type(version) is not int:
        raise BadInput(f"version {version!r} is not a whole number")
    wanted = await fill_agents(client, spec)
    request = {name: value for name, value in body(wanted).items() if name != "status"}
    await client.teams.validate(request)
    team = await _meant(client, wanted)
    step = Step(team, wanted, changes(team, wanted))
    if team is not None and step.changes and version not in (None, team.version):
        raise _stale(team, version)
    return step


async def _meant(client: AsyncClient, wanted: dict[str, Any]) -> Team | None:
    """The team with the file's id, else the one with exactly its name; None: a new one."""
    if (team_id := wanted.get("id")) is not None:
        if not is_id(str(team_id)):
            raise BadInput(f"id {team_id!r} is not a UUID")
        try:
            return await client.teams.get(str(team_id))
        except NotFound:
            raise BadInput(
                f"there is no team with the id {team_id}: leave `id` out to make one"
            ) from None
    name = str(wanted["name"]).strip()
    named = [team.id async for team in client.teams.all(search=name) if team.name == name]
    if len(named) > 1:
        raise BadInput(f"{len(named)} teams are named {name!r}: write the `id` of one, {named}")
    return await client.teams.get(named[0]) if named else None


def _refuse_twins(steps: Sequence[Step]) -> None:
    meant = [step.team.id if step.team else step.name.strip() for step in steps]
    for place, one in enumerate(meant):
        if one in meant[:place]:
            raise BadInput(f"two documents are about the same team, {steps[place].name!r}")


async def _carry_out(client: AsyncClient, step: Step) -> Team:
    wanted = body(step.wanted)
    if step.team is None:
        status = wanted.pop("status", "active")
        team = await client.teams.create(wanted)
        if status == team.status:
            return team
        return await client.teams.update(team.id, {"status": status}, version=team.version)
    if not step.changes:
        return step.team
    # What was compared is what is changed: whoever was faster is not overwritten.
    return await client.teams.update(step.team.id, wanted, version=step.team.version)


def _tell(step: Step, team: Team | None, *, dry_run: bool) -> None:
    action = step.action
    if dry_run and action != "unchanged":
        action = f"would be {action}"
    about = "" if team is None else f" (version {team.version}): {team.id}"
    echo(f"{one_line(step.name)} {action}{about}")
    out = console()
    for change in step.changes if step.team is not None else []:
        line = one_line(str(change))
        out.print(f"  {line}", style=_STYLES[line[0]], soft_wrap=True)


def _stale(team: Team, version: object) -> Conflict:
    return Conflict(
        status=412,
        code="version_mismatch",
        detail=(
            f"{team.name!r} is at version {team.version}, and the file was made from version "
            f"{version}: export it again and repeat your change, or take `version` out of the "
            "file to overwrite"
        ),
    )
